"""Instrumenting by hand-made modules: sharing, subclasses, roots, placing, baking, switching off."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from harness import InstrumentedModel, Partition, QuantizationError, Uniform, UnknownNameError, instrument
from harness.model.roles import block_prefix, role_of
from harness.model.unseen import unseen_products
from harness.testing.tiny_vit import TINY_ADAPTERS, TinyAttention, TinyAttentionTwin, tiny_vit


def _halves(levels: float = 0.5, bits: int = 4) -> Uniform:
    quantizer = Uniform(Partition.tensor(), bits, "symmetric")
    quantizer.scale.data.fill_(levels)
    return quantizer


class Scaled(nn.Linear):
    """A linear layer with a forward, a parameter and a buffer of its own."""

    def __init__(self) -> None:
        super().__init__(3, 2)
        self.gain = nn.Parameter(torch.tensor(2.0))
        self.register_buffer("shift", torch.tensor(1.0), persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        return functional.linear(input, self.weight * self.gain, self.bias) + self.shift


@pytest.mark.parametrize("original", [
    nn.Linear(3, 2), nn.Linear(3, 2, bias=False), Scaled(), TinyAttention(),
    nn.Sequential(nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect", groups=2, stride=2)),
    nn.Sequential(nn.ConvTranspose2d(4, 6, 3, padding=1, groups=2, stride=2, output_padding=1)),
    nn.Sequential(nn.Embedding(7, 3, padding_idx=0))], ids=lambda module: type(module).__name__)
def test_a_model_of_one_module_and_back(original: nn.Module) -> None:
    inputs = {"Linear": torch.randn(2, 3), "Scaled": torch.randn(2, 3), "TinyAttention": torch.randn(2, 5, 16)}.get(
        type(original).__name__, torch.randn(1, 4, 8, 8))
    if isinstance(original, nn.Sequential) and isinstance(original[0], nn.Embedding):
        inputs = torch.tensor([0, 3, 6])
    expected, kind = original(inputs), type(original)
    model = instrument(original, TINY_ADAPTERS)
    torch.testing.assert_close(model(inputs), expected, rtol=1e-5, atol=1e-6)
    for path in model.sites:
        model.place(path, _halves())
    assert not torch.equal(model(inputs), expected)
    restored = model.restore()
    assert type(restored) is kind
    assert torch.equal(restored(inputs), expected)


def test_a_subclass_is_called_with_the_quantized_weight() -> None:
    original = Scaled()
    model = instrument(nn.Sequential(original), {})
    model.place("0.weight", _halves())
    inputs = torch.randn(2, 3)
    weight = (original.weight / 0.5).round() * 0.5
    torch.testing.assert_close(model(inputs), functional.linear(inputs, weight * 2, original.bias) + 1)


def test_a_module_at_two_paths_stays_shared() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.levels = nn.Linear(3, 3), nn.ModuleList()
            self.levels.extend([self.first, nn.ReLU(), self.first])

        def forward(self, x: Tensor) -> Tensor:
            return self.levels[2](self.levels[0](self.first(x)))

    original = Tied()
    model = instrument(original, {})
    assert model.model.first is model.model.levels[0] is model.model.levels[2]
    assert set(model.sites) == {"first.weight", "first.input"}
    inputs = torch.randn(2, 3)
    assert unseen_products(model, lambda m: m(inputs)) == []
    restored = model.restore()
    assert type(restored.first) is nn.Linear
    assert restored.first is restored.levels[0] is restored.levels[2]


def test_tied_parameters_stay_tied() -> None:
    original = nn.ModuleDict({"embedding": nn.Embedding(7, 3), "head": nn.Linear(3, 7, bias=False)})
    original["head"].weight = original["embedding"].weight
    model = instrument(original, {})
    assert model.operation("head").weight is model.operation("embedding").weight


def test_training_trains_the_original_parameters() -> None:
    original = nn.Sequential(nn.Linear(3, 2))
    before = original[0].weight
    model = instrument(original, {})
    model.place("0.weight", _halves())
    model(torch.randn(4, 3)).sum().backward()
    assert next(iter(model.model.parameters())) is before
    assert before.grad is not None
    with torch.no_grad():
        before += 1
    assert model.restore()[0].weight is before


def test_new_parameters_and_buffers_reach_the_restored_model() -> None:
    model = instrument(tiny_vit(), TINY_ADAPTERS)
    state = {name: torch.full_like(value, 0.25) for name, value in model.model.state_dict().items()}
    model.model.load_state_dict(state, assign=True)
    model.double()
    restored = model.restore()
    assert all(parameter.dtype == torch.float64 for parameter in restored.parameters())
    assert all(bool((value == 0.25).all()) for value in restored.state_dict().values())


def test_an_attention_modules_own_tensors_reach_the_restored_model() -> None:
    class Biased(TinyAttention):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.zeros(2))
            self.register_buffer("index", torch.zeros(2))

    original = nn.Sequential(Biased())
    model = instrument(original, {f"{Biased.__module__}.{Biased.__qualname__}": TinyAttentionTwin})
    model.model.load_state_dict({name: torch.ones_like(value) for name, value in original.state_dict().items()},
                                assign=True)
    restored = model.restore()
    assert type(restored[0]) is Biased
    assert restored[0].table.tolist() == restored[0].index.tolist() == [1, 1]


def test_modes_are_kept() -> None:
    original = nn.Sequential(nn.Linear(3, 2)).train()
    assert instrument(original, {}).operation("0").training
    assert not instrument(nn.Sequential(nn.Linear(3, 2)).eval(), {}).operation("0").training


def test_a_copy_is_independent() -> None:
    model = instrument(tiny_vit(), TINY_ADAPTERS)
    other = copy.deepcopy(model)
    other.place("head.weight", _halves())
    with torch.no_grad():
        other.operation("head").weight.zero_()
    assert model.quantizer("head.weight").describe()["bits"] == 32
    assert bool(model.operation("head").weight.any())


def _one_layer() -> InstrumentedModel:
    model = instrument(nn.Sequential(nn.Linear(3, 2)), {})
    model.place("0.weight", _halves())
    model.place("0.input", _halves(0.25))
    return model


def test_full_precision_switches_off_for_a_while() -> None:
    model, inputs = _one_layer(), torch.randn(4, 3)
    plain = functional.linear(inputs, model.operation("0").weight, model.operation("0").bias)
    quantized = model(inputs)
    with model.full_precision():
        assert torch.equal(model(inputs), plain)
        with model.full_precision({"0.weight"}):
            pass
        assert torch.equal(model(inputs), plain)  # an inner block puts back what it found
    assert torch.equal(model(inputs), quantized)
    with model.full_precision({"0.input"}):
        weight = (model.operation("0").weight / 0.5).round() * 0.5
        torch.testing.assert_close(model(inputs), functional.linear(inputs, weight, model.operation("0").bias))
    with pytest.raises(RuntimeError, match="inside"), model.full_precision():
        raise RuntimeError("inside")
    assert torch.equal(model(inputs), quantized)


def test_baking_quantizes_each_weight_once() -> None:
    model, inputs = _one_layer(), torch.randn(4, 3)
    quantized, calls = model(inputs), []
    model.quantizer("0.weight").register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad(), model.baked():
        assert torch.equal(model(inputs), quantized)
        assert torch.equal(model(inputs), quantized)
        assert len(calls) == 1
        with model.full_precision():  # still means full precision
            assert not torch.equal(model(inputs), quantized)
    model(inputs)
    assert len(calls) == 3


def test_unknown_sites_are_named() -> None:
    model = _one_layer()
    for call in (model.quantizer, lambda path: model.place(path, _halves())):
        with pytest.raises(UnknownNameError, match=r"unknown site '0\.wieght'\n  Did you mean '0\.weight'"):
            call("0.wieght")


def test_products_outside_of_sites_are_found() -> None:
    class Outside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fine = nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            attended = functional.scaled_dot_product_attention(self.fine(x), x, x)
            return attended @ x.mT + torch.einsum("abij,abkj->abik", x, x)

    model = instrument(nn.Sequential(Outside()), {})
    found = unseen_products(model, lambda m: m(torch.randn(1, 2, 4, 3)))
    assert len(found) == 2
    assert all("in Outside at '0'" in entry for entry in found)
    assert "scaled_dot_product" in found[0]
    assert unseen_products(model, lambda m: torch.ones(2, 2) @ torch.ones(2)) == [
        "mv in Sequential at 'the model itself'"]
    transposed = instrument(nn.Sequential(nn.Linear(2, 2), nn.ConvTranspose1d(2, 2, 1)), {})
    assert unseen_products(transposed, lambda m: m(torch.randn(1, 2, 2))) == [
        "convolution in ConvTranspose1d at '1'"]


@pytest.mark.parametrize(("path", "module", "role"), [
    ("patch_embed.proj", nn.Conv2d(1, 1, 1), "patch_embed"),
    ("embeddings.patch_embeddings.projection", nn.Conv2d(1, 1, 1), "patch_embed"),
    ("embeddings.word_embeddings", nn.Embedding(1, 1), "word_embedding"),
    ("embeddings.position_embeddings", nn.Embedding(1, 1), "embedding"),
    ("bert.pooler.dense", nn.Linear(1, 1), "pooler"),
    ("bbox_embed.layers.0", nn.Linear(1, 1), "linear"),
    ("blocks.3.attn.qkv", nn.Linear(1, 1), "qkv"),
    ("encoder.layer.0.attention.self.query", nn.Linear(1, 1), "query"),
    ("encoder.layer.0.attention.output.dense", nn.Linear(1, 1), "proj"),
    ("encoder.layer.0.intermediate.dense", nn.Linear(1, 1), "fc1"),
    ("encoder.layer.0.output.dense", nn.Linear(1, 1), "fc2"),
    ("layers.1.downsample.reduction", nn.Linear(1, 1), "downsample"),
    ("layer2.0.downsample.0", nn.Conv2d(1, 1, 1), "downsample"),
    ("head.fc", nn.Linear(1, 1), "head"), ("head_dist", nn.Linear(1, 1), "head"),
    ("classifier", nn.Linear(1, 1), "head"), ("layer1.0.conv1", nn.Conv2d(1, 1, 1), "conv"),
    ("backbone.patch_embed.projection", nn.Conv2d(1, 1, 1), "patch_embed"),
    ("backbone.stages.0.blocks.0.attn.w_msa.qkv", nn.Linear(1, 1), "qkv"),
    ("backbone.stages.0.blocks.0.attn.w_msa.proj", nn.Linear(1, 1), "proj"),
    ("backbone.stages.0.blocks.0.ffn.layers.0.0", nn.Linear(1, 1), "fc1"),
    ("backbone.stages.0.blocks.0.ffn.layers.1", nn.Linear(1, 1), "fc2"),
    ("decoder.layers.0.cross_attn.attn.q_proj", nn.Linear(1, 1), "query"),
    ("decoder.layers.0.cross_attn.attn.out_proj", nn.Linear(1, 1), "proj"),
    ("backbone.conv1", nn.Conv2d(1, 1, 1), "conv"), ("neck.lateral_convs.0.conv", nn.Conv2d(1, 1, 1), "conv"),
    ("rpn_head.rpn_conv", nn.Conv2d(1, 1, 1), "conv"), ("rpn_head.rpn_cls", nn.Conv2d(1, 1, 1), "head"),
    ("rpn_head.rpn_reg", nn.Conv2d(1, 1, 1), "head"), ("roi_head.bbox_head.2.fc_cls", nn.Linear(1, 1), "head"),
    ("roi_head.bbox_head.fc_reg", nn.Linear(1, 1), "head"),
    ("roi_head.bbox_head.shared_fcs.1", nn.Linear(1, 1), "linear"),
    ("roi_head.mask_head.conv_logits", nn.Conv2d(1, 1, 1), "head"),
    ("roi_head.mask_head.upsample", nn.ConvTranspose2d(1, 1, 1), "conv"),
    ("bbox_head.reg_ffn.layers.1", nn.Linear(1, 1), "linear"),
    ("something.new", nn.Linear(1, 1), "linear")])
def test_roles(path: str, module: nn.Module, role: str) -> None:
    assert role_of(path, module) == role


@pytest.mark.parametrize(("path", "attention", "prefix"), [
    ("blocks.3.mlp.fc1", ["blocks.3.attn"], "blocks.3"),
    ("layers.1.blocks.0.attn.qkv", ["layers.1.blocks.0.attn"], "layers.1.blocks.0"),
    ("layers.1.downsample.reduction", ["layers.1.blocks.0.attn"], "layers.1"),
    ("layer1.0.conv1", [], "layer1.0"), ("head", ["blocks.0.attn"], None), ("fc", [], None)])
def test_block_prefixes(path: str, attention: list[str], prefix: str | None) -> None:
    assert block_prefix(path, attention) == prefix


def test_an_unknown_attention_beside_an_adapted_one_is_refused() -> None:
    class OtherAttention(nn.Module):
        pass

    with pytest.raises(QuantizationError, match="OtherAttention"):
        instrument(nn.Sequential(TinyAttention(), OtherAttention()), TINY_ADAPTERS)
