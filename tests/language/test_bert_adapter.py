"""The twin of BERT's self-attention against the module that it replaces."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_bert import tiny_bert
from torch import Tensor, nn

from harness import InstrumentedModel, QuantizationError, instrument
from harness.model.unseen import unseen_products
from harness.registry import registry
from harness_tasks.language.bert_attention import BertSelfAttentionTwin

HEADS, WIDTH = 4, 32


def instrumented(model: nn.Module) -> InstrumentedModel:
    """With the adapters of all plugins, as a run has it."""
    adapters = {spec.attention: registry().component(spec) for spec in registry().adapters.values()}
    return instrument(copy.deepcopy(model), adapters)


def batch(lengths: list[int], tokens: int, seed: int = 0) -> dict[str, Tensor]:
    """Random sentences of the given lengths, padded."""
    generator = torch.Generator().manual_seed(seed)
    mask = (torch.arange(tokens) < torch.tensor(lengths)[:, None]).long()
    ids = torch.randint(5, 20, (len(lengths), tokens), generator=generator) * mask
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": (torch.arange(tokens) > 2).long() * mask}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.sampled_from(["eager", "sdpa"]), st.integers(0, 99))
def test_identity_quantizers_change_nothing(lengths: list[int], attention: str, seed: int) -> None:
    model = tiny_bert(attn_implementation=attention)
    inputs = batch(lengths, max(lengths) + seed % 3, seed)
    with torch.no_grad():
        expected = model(**inputs, output_hidden_states=True)
        found = instrumented(model)(**inputs, output_hidden_states=True)
    torch.testing.assert_close(found.logits, expected.logits, rtol=1e-4, atol=1e-4)
    for theirs, ours in zip(expected.hidden_states, found.hidden_states, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_padding_does_not_reach_the_answers() -> None:
    twin = instrumented(tiny_bert())
    inputs = batch([5, 9], 9)
    changed = {name: tensor.clone() for name, tensor in inputs.items()}
    changed["input_ids"][0, 5:] = 7
    with torch.no_grad():
        alone = twin(**{name: tensor[:1, :5] for name, tensor in inputs.items()}).logits
        torch.testing.assert_close(twin(**changed).logits, twin(**inputs).logits)
        torch.testing.assert_close(twin(**inputs).logits[:1], alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_masks_of_both_kinds_arrive(attention: str) -> None:
    """What transformers passes on: additive numbers, or where to attend; nothing where no token is padded."""
    seen: list[Any] = []
    twin = instrumented(tiny_bert(attn_implementation=attention))
    module = twin.model.get_submodule("bert.encoder.layer.0.attention.self")
    module.register_forward_pre_hook(lambda _, args, kwargs: seen.append(kwargs["attention_mask"]), with_kwargs=True)
    with torch.no_grad():
        twin(**batch([2, 5], 5))
        twin(**batch([5, 5], 5))
    assert seen[0].dtype == (torch.float32 if attention == "eager" else torch.bool)
    assert seen[0].shape[-1] == 5
    assert seen[1] is None or bool((seen[1] == (0 if attention == "eager" else 1)).all())


def test_the_attention_map_is_given_back() -> None:
    model = tiny_bert(attn_implementation="eager")
    original, hidden = model.bert.encoder.layer[0].attention.self, torch.randn(2, 5, WIDTH)
    mask = torch.tensor([True, True, True, False, False]).expand(2, 1, 5, 5)
    additive = torch.zeros(2, 1, 5, 5).masked_fill(~mask, torch.finfo(torch.float32).min)
    twin = BertSelfAttentionTwin(copy.deepcopy(original))
    with torch.no_grad():
        expected, weights = original(hidden, additive)
        for given_mask in (mask, additive):
            output, attention = twin(hidden, given_mask)
            torch.testing.assert_close(output, expected)
            torch.testing.assert_close(attention, weights)
    assert torch.all(attention[..., 3:] == 0)
    assert attention.shape == (2, HEADS, 5, 5)


def test_nothing_is_multiplied_unseen_and_the_plain_model_comes_back() -> None:
    model = tiny_bert()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    twin, inputs = instrumented(model), batch([3, 6], 6)
    assert unseen_products(twin, lambda m: m(**inputs)) == []
    plain = twin.restore()
    assert {type(module) for module in plain.modules()} == {type(module) for module in model.modules()}
    assert plain.state_dict().keys() == before.keys()
    for name, tensor in plain.state_dict().items():
        assert torch.equal(tensor, before[name])
    with torch.no_grad():
        assert torch.equal(plain(**inputs).logits, model(**inputs).logits)


def test_sites_have_heads_roles_and_blocks() -> None:
    twin = instrumented(tiny_bert())
    prefix = "bert.encoder.layer.1."
    expected = {"attention.self.query.weight": "query", "attention.self.key.input": "key",
                "attention.self.value.weight": "value", "attention.self.query": "query", "attention.self.key": "key",
                "attention.self.attention": "attention", "attention.self.value": "value",
                "attention.output.dense.weight": "proj", "intermediate.dense.weight": "fc1",
                "output.dense.weight": "fc2"}
    assert {path: twin.sites[prefix + path].role for path in expected} == expected
    assert {twin.sites[prefix + path].block for path in expected} == {1}
    assert twin.sites["classifier.weight"].role == "head"
    assert twin.sites["bert.pooler.dense.weight"].role == "pooler"
    assert twin.sites["bert.embeddings.position_embeddings.weight"].role == "embedding"
    for name in ("query", "key", "value"):
        layout = twin.sites[f"{prefix}attention.self.{name}.weight"].layout
        index = layout.partition("head").index
        assert index.flatten().tolist() == [row // 8 for row in range(WIDTH)], "heads are slices of the rows"
        assert twin.sites[f"{prefix}attention.self.{name}"].layout.heads == HEADS


def test_a_head_of_the_projections_is_a_head_of_the_products() -> None:
    twin = instrumented(tiny_bert())
    for name in ("query", "key", "value"):
        path = f"bert.encoder.layer.0.attention.self.{name}"
        chosen = twin.sites[f"{path}.weight"].layout.partition("head").index.flatten() == 2
        seen: list[Tensor] = []
        twin.quantizer(path).register_forward_pre_hook(lambda _, arguments, seen=seen: seen.append(arguments[0]))
        with torch.no_grad():
            projection = twin.operation(path)
            projection.weight[chosen], projection.bias[chosen] = 0.0, 0.0
            twin(**batch([6, 6], 6))
        assert (seen[0] == 0).all((0, 2, 3)).tolist() == [False, False, True, False]


def test_heads_of_the_output_projection_are_slices_of_its_inputs() -> None:
    twin = instrumented(tiny_bert())
    path = "bert.encoder.layer.1.attention.output.dense"
    expected = [column // 8 for column in range(WIDTH)]
    assert twin.sites[f"{path}.weight"].layout.partition("head").index.tolist() == expected
    assert twin.sites[f"{path}.input"].layout.partition("head").index.tolist() == expected
    assert twin.sites["bert.encoder.layer.1.output.dense.weight"].layout.split is None


def test_gradients_and_dropout_are_the_originals() -> None:
    model = tiny_bert(attn_implementation="eager", attention_probs_dropout_prob=0.5, hidden_dropout_prob=0.0)
    model.train()
    twin, inputs = instrumented(model), batch([4, 6], 6)
    answers = []
    for subject in (model, twin):
        torch.manual_seed(3)
        subject(**inputs).logits.sum().backward()
        torch.manual_seed(3)
        answers.append(subject(**inputs).logits.detach())
    torch.testing.assert_close(answers[0], answers[1], rtol=1e-4, atol=1e-4)
    ours = twin.restore()
    for (name, theirs), own in zip(model.named_parameters(), ours.parameters(), strict=True):
        torch.testing.assert_close(own.grad, theirs.grad, rtol=1e-3, atol=1e-3, msg=name)


def test_what_is_not_supported() -> None:
    with pytest.raises(QuantizationError, match="decoder"):
        instrumented(tiny_bert(is_decoder=True))
    twin = BertSelfAttentionTwin(tiny_bert().bert.encoder.layer[0].attention.self)
    with pytest.raises(QuantizationError, match=r"mask of type torch\.int64"):
        twin(torch.zeros(1, 3, WIDTH), torch.ones(1, 1, 3, 3, dtype=torch.int64))
