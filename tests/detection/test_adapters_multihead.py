"""The twin of ``torch.nn.MultiheadAttention`` against the module that it replaces."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from harness import InstrumentedModel, QuantizationError, Uniform, instrument
from harness.cost.size import parameters, plain
from harness.model.unseen import unseen_products
from harness_tasks.detection.mmcv_compat import ensure_mmcv
from harness_tasks.detection.multihead_attention import MultiheadAttentionTwin

ensure_mmcv()

from mmcv.cnn.bricks.transformer import MultiheadAttention as Wrapper  # noqa: E402

ADAPTERS = {"torch.nn.modules.activation.MultiheadAttention": MultiheadAttentionTwin}
WIDTH, HEADS = 8, 2
Kwargs = dict[str, Any]


def attention(**options: Any) -> nn.MultiheadAttention:
    torch.manual_seed(0)
    module = nn.MultiheadAttention(WIDTH, HEADS, **options)
    with torch.no_grad():
        for parameter in module.parameters():  # biases are 0 and attention is nearly uniform as torch makes it
            parameter.copy_(torch.randn_like(parameter) * .5)
    return module.eval()


def instrumented(original: nn.Module) -> InstrumentedModel:
    return instrument(nn.ModuleDict({"attn": copy.deepcopy(original)}), ADAPTERS)


@st.composite
def calls(draw: st.DrawFn) -> tuple[Kwargs, list[Tensor], Kwargs]:
    """Options of the module, query, key and value, and the other arguments."""
    batch, n, m = draw(st.integers(1, 3)), draw(st.integers(1, 5)), draw(st.integers(1, 6))
    form = draw(st.sampled_from(["batch_first", "batch_second", "no_batch"]))
    options: Kwargs = {"bias": draw(st.booleans()), "batch_first": form == "batch_first"}
    if draw(st.booleans()):
        options |= {"kdim": draw(st.integers(3, 9)), "vdim": draw(st.integers(3, 9))}
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1000)))

    def tokens(count: int, width: int) -> Tensor:
        shape = {"batch_first": (batch, count, width), "batch_second": (count, batch, width)}
        return torch.randn(shape.get(form, (count, width)), generator=generator)

    query = tokens(n, WIDTH)
    key, value = tokens(m, options.get("kdim", WIDTH)), tokens(m, options.get("vdim", WIDTH))
    if not options.get("kdim") and draw(st.booleans()):
        m, key, value = n, query, query  # one tensor: the case that torch computes in its own fast way
    batch = 1 if form == "no_batch" else batch
    arguments: Kwargs = {"need_weights": draw(st.booleans()), "average_attn_weights": draw(st.booleans())}
    as_float = draw(st.booleans())

    def mask(*shape: int) -> Tensor:
        blocked = torch.rand(shape, generator=generator) < .4
        blocked[..., 0] = False  # a row that attends to nothing is NaN
        return torch.where(blocked, float("-inf"), torch.randn(shape, generator=generator)) if as_float else blocked

    if draw(st.booleans()):
        arguments["key_padding_mask"] = mask(m) if form == "no_batch" else mask(batch, m)
    if draw(st.booleans()):
        arguments["attn_mask"] = mask(n, m) if draw(st.booleans()) else mask(batch * HEADS, n, m)
    return options, [query, key, value], arguments


@settings(max_examples=150, deadline=None, derandomize=True)
@given(calls())
def test_twin_and_original_agree(call: tuple[Kwargs, list[Tensor], Kwargs]) -> None:
    options, inputs, arguments = call
    original = attention(**options)
    model = instrumented(original)
    expected, expected_map = original(*inputs, **arguments)
    output, map_ = model.model["attn"](*inputs, **arguments)
    torch.testing.assert_close(output, expected, rtol=1e-4, atol=1e-5)
    assert (map_ is None) == (expected_map is None)
    if map_ is not None:
        torch.testing.assert_close(map_, expected_map, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("grad", [True, False])
def test_no_product_is_outside_of_the_sites(grad: bool) -> None:
    model, tokens = instrumented(attention(batch_first=True)), torch.randn(2, 3, WIDTH)
    with torch.set_grad_enabled(grad):
        assert unseen_products(model, lambda m: m.model["attn"](tokens, tokens, tokens)) == []
    operations = [f"attn.{name}" for name in ("out_proj", "core.scores", "core.values", "q_proj", "k_proj", "v_proj")]
    assert sorted(model.operations) == sorted(operations)
    roles = {path: (site.role, site.layout.heads) for path, site in model.sites.items()}
    assert roles == {
        "attn.out_proj.weight": ("proj", 2), "attn.out_proj.input": ("proj", 2),
        **{f"attn.{operand}": (operand, 2) for operand in ("query", "key", "attention", "value")},
        "attn.q_proj.weight": ("query", 2), "attn.q_proj.input": ("query", 1),
        "attn.k_proj.weight": ("key", 2), "attn.k_proj.input": ("key", 1),
        "attn.v_proj.weight": ("value", 2), "attn.v_proj.input": ("value", 1)}


@pytest.mark.parametrize("place", ["q_proj.weight", "k_proj.input", "v_proj.weight", "query", "attention", "value",
                                   "out_proj.weight"])
def test_every_site_is_used(place: str) -> None:
    model, tokens = instrumented(attention()), torch.randn(3, 2, WIDTH)
    before = model.model["attn"](tokens, tokens, tokens)[0]
    coarse = Uniform(model.sites[f"attn.{place}"].layout.partition("tensor"), 2)
    coarse.set_range(torch.tensor([-1.]), torch.tensor([1.]))
    model.place(f"attn.{place}", coarse)
    assert not torch.allclose(model.model["attn"](tokens, tokens, tokens)[0], before, atol=1e-3)


@pytest.mark.parametrize("batch_first", [True, False])
def test_mmcvs_wrapper(batch_first: bool) -> None:
    torch.manual_seed(0)
    wrapper = Wrapper(WIDTH, HEADS, batch_first=batch_first).eval()
    wrapper.attn = attention()
    query, memory = torch.randn(2, 3, WIDTH), torch.randn(2, 5, WIDTH)
    if not batch_first:
        query, memory = query.transpose(0, 1), memory.transpose(0, 1)
    arguments = {"key": memory, "value": memory, "query_pos": torch.randn_like(query),
                 "key_pos": torch.randn_like(memory),
                 "key_padding_mask": torch.tensor([[False] * 5, [False] * 3 + [True] * 2])}
    expected = wrapper(query, **arguments)
    model = instrument(nn.ModuleDict({"cross": wrapper}), ADAPTERS)
    torch.testing.assert_close(model.model["cross"](query, **arguments), expected, rtol=1e-5, atol=1e-6)
    assert "cross.attn.attention" in model.sites
    assert type(model.restore()["cross"].attn) is nn.MultiheadAttention


@pytest.mark.parametrize("norm_first", [True, False])
def test_torchs_own_encoder_layer_takes_no_way_past_the_twin(norm_first: bool) -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 12, batch_first=True, norm_first=norm_first).eval()
    tokens, padding = torch.randn(2, 4, WIDTH), torch.tensor([[False] * 4, [False] * 2 + [True] * 2])
    with torch.no_grad():
        expected = layer(tokens, src_key_padding_mask=padding)
        model = instrument(nn.ModuleDict({"layer": layer}), ADAPTERS)
        given_ = model.model["layer"](tokens, src_key_padding_mask=padding)
        attended = ~padding  # torch's fused way leaves what it likes at padded places
        torch.testing.assert_close(given_[attended], expected[attended], rtol=1e-4, atol=1e-5)
        assert unseen_products(model, lambda m: m.model["layer"](tokens, src_key_padding_mask=padding)) == []


def test_dropout_is_that_of_the_original() -> None:
    model, tokens = instrumented(attention(dropout=.5)), torch.randn(4, 2, WIDTH)
    twin = model.model["attn"]
    assert torch.equal(twin(tokens, tokens, tokens)[0], twin(tokens, tokens, tokens)[0])
    model.train()
    _, map_ = twin(tokens, tokens, tokens, average_attn_weights=False)
    assert 0 < float((map_ == 0).float().mean()) < 1
    assert model.restore()["attn"].training


@pytest.mark.parametrize("options", [{"add_bias_kv": True}, {"add_zero_attn": True}])
def test_what_appends_keys_is_refused(options: Kwargs) -> None:
    with pytest.raises(QuantizationError, match="add_bias_kv or add_zero_attn"):
        instrumented(attention(**options))


def test_masks_that_cannot_be_told_are_refused() -> None:
    twin, tokens = instrumented(attention()).model["attn"], torch.randn(3, 2, WIDTH)
    with pytest.raises(QuantizationError, match="is_causal"):
        twin(tokens, tokens, tokens, attn_mask=torch.zeros(3, 3), is_causal=True)
    with pytest.raises(QuantizationError, match=r"mask of type torch\.uint8"):
        twin(tokens, tokens, tokens, attn_mask=torch.zeros(3, 3, dtype=torch.uint8))


def test_without_the_adapter_wrapper_and_module_are_refused() -> None:
    for module in (attention(), Wrapper(WIDTH, HEADS)):
        with pytest.raises(QuantizationError, match="MultiheadAttention"):
            instrument(nn.ModuleDict({"attn": module}), {})


VARIANTS: list[Kwargs] = [{}, {"bias": False}, {"kdim": 5, "vdim": 6}, {"kdim": 5, "vdim": 6, "bias": False}]


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_no_parameter_is_there_twice(options: Kwargs) -> None:
    original = attention(**options)
    model = instrumented(original)
    count = sum(parameter.numel() for parameter in original.parameters())
    assert parameters(model) == count
    assert plain(model) == 4 * count
    twin = model.model["attn"]
    storages = [p.untyped_storage() for p in (*twin.parameters(), *twin.original.parameters())]
    assert sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values()) == 4 * count


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_the_state_dict_is_that_of_the_original(options: Kwargs) -> None:
    original = attention(**options)
    model = instrumented(original)
    expected, state = original.state_dict(prefix="attn."), model.model.state_dict()
    assert {name: tensor.shape for name, tensor in state.items()} == {n: t.shape for n, t in expected.items()}
    assert all(torch.equal(state[name], expected[name]) for name in expected)
    other = {name: torch.randn_like(tensor) for name, tensor in expected.items()}
    for assign in (False, True):
        model.model.load_state_dict(other, strict=True, assign=assign)
        assert all(torch.equal(tensor, other[name]) for name, tensor in model.model.state_dict().items())
    tokens = torch.randn(3, 2, WIDTH), torch.randn(4, 2, original.kdim), torch.randn(4, 2, original.vdim)
    nn.ModuleDict({"attn": original}).load_state_dict(other)
    torch.testing.assert_close(model.model["attn"](*tokens)[0], original(*tokens)[0], rtol=1e-4, atol=1e-5)


def test_a_state_dict_that_does_not_fit_is_refused() -> None:
    model = instrumented(attention())
    state = model.model.state_dict()
    with pytest.raises(RuntimeError, match=r"size mismatch for attn\.k_proj\.weight"):
        model.model.load_state_dict(state | {"attn.in_proj_weight": torch.zeros(30, WIDTH)})
    with pytest.raises(RuntimeError, match="Missing key"):
        model.model.load_state_dict({name: t for name, t in state.items() if name != "attn.in_proj_weight"})


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_restored_is_the_original_with_its_own_parameters(options: Kwargs) -> None:
    original = attention(**options)
    own, expected = dict(original.named_parameters()), copy.deepcopy(original.state_dict())
    model = instrument(nn.ModuleDict({"attn": original}), ADAPTERS)
    restored = model.restore()["attn"]
    assert restored is original
    assert {name: id(parameter) for name, parameter in restored.named_parameters()} == {
        name: id(parameter) for name, parameter in own.items()}
    assert list(restored.state_dict()) == list(expected)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in restored.state_dict().items())
    assert all(parameter.requires_grad for parameter in own.values())


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_training_gives_the_same_steps(options: Kwargs) -> None:
    original = attention(**options).double()
    before = copy.deepcopy(original.state_dict())
    model = instrument(nn.ModuleDict({"attn": copy.deepcopy(original)}), ADAPTERS)
    tokens = [torch.randn(4, 2, width, dtype=torch.float64) for width in (WIDTH, original.kdim, original.vdim)]
    for module, subject in ((original, original), (model.model["attn"], model.model)):
        optimizer = torch.optim.SGD(subject.parameters(), .02)
        for _ in range(3):
            optimizer.zero_grad()
            module(*tokens)[0].square().mean().backward()
            optimizer.step()
    trained = model.restore()["attn"].state_dict()
    for name, tensor in original.state_dict().items():
        assert not torch.allclose(tensor, before[name], rtol=1e-4, atol=0)
        torch.testing.assert_close(trained[name], tensor, rtol=1e-9, atol=1e-12)


def test_a_copy_and_another_precision_reach_the_restored_module() -> None:
    model = instrumented(attention())
    other = copy.deepcopy(model).double()
    with torch.no_grad():
        other.operation("attn.k_proj").weight.fill_(2)
    other.requires_grad_(False)
    restored = other.restore()["attn"]
    assert bool((restored.in_proj_weight[WIDTH:2 * WIDTH] == 2).all())
    assert restored.in_proj_weight.dtype == torch.float64
    assert not any(parameter.requires_grad for parameter in restored.parameters())
    assert not bool((model.restore()["attn"].in_proj_weight[WIDTH:2 * WIDTH] == 2).any())


def test_a_bias_that_a_method_adds_is_kept() -> None:
    model, tokens = instrumented(attention(bias=False)), torch.randn(3, 2, WIDTH)
    model.operation("attn.v_proj").bias = nn.Parameter(torch.ones(WIDTH))
    corrected = model.model["attn"](tokens, tokens, tokens)[0]
    restored = model.restore()["attn"]
    assert restored.in_proj_bias.tolist() == [0] * 2 * WIDTH + [1] * WIDTH
    torch.testing.assert_close(restored(tokens, tokens, tokens)[0], corrected, rtol=1e-4, atol=1e-5)
