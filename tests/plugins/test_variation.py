"""Variation-aware training: its scales and their gradients, and where quantizers are placed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from baseline_cases import context_of, transformer
from torch import Tensor

from harness import (
    Bits,
    Context,
    HeadSplit,
    Identity,
    Layout,
    OptionError,
    Partition,
    QuantizationError,
    Site,
)
from harness.options import resolve
from harness.registry import registry
from harness.testing.toy import toy_context
from harness.testing.training import TrainingConformance
from harness_plugins.variation.options import ModuleDependentOptions
from harness_plugins.variation.quantizer import ModuleDependent, module_dependent

WEIGHTS = [0.5, -0.25, 0.25]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


class TestVariation(TrainingConformance):
    method = "variation"


class TestWithoutCrops(TrainingConformance):
    method = "variation"
    low = Bits(2, 2)
    options: ClassVar[Mapping[str, Any]] = {
        "losses": ["kd", {"name": "obr", "start": 0.0}], "training": {"crops": 1, "crop_bank": None}}


def quantizer(partition: Partition | None = None, bits: int = 4, scale: float = 0.1, **options: Any) -> ModuleDependent:
    given = {name: options.pop(name) for name in tuple(options) if name in ModuleDependentOptions.model_fields}
    made = ModuleDependent(ModuleDependentOptions(**given), partition or Partition.tensor(), bits, **options)
    made.set_scale(torch.full((made.partition.slots,), scale))
    return made


def scale_gradient_of(made: ModuleDependent, tensor: Tensor) -> Tensor:
    made(tensor).sum().backward()
    gradient = made.scale.grad
    assert gradient is not None
    return gradient


# Equations 5 to 7, and the scaling of section 4.4.1


@pytest.mark.parametrize(("rule", "factor"), [("l1", 0.377964), ("numel", 0.218218), ("off", 1.0)])
def test_the_scales_gradient_is_divided_by_the_root_of_the_l1_norm(rule: str, factor: float) -> None:
    made = quantizer(gradient_scale=rule)
    high = torch.tensor([7.0])
    assert float(made.gradient_factor(torch.tensor(WEIGHTS), high)) == pytest.approx(factor, abs=1e-6)
    value = torch.tensor(WEIGHTS) / 0.1
    expected = (value.round() - value).sum() * factor  # nothing is clipped
    gradient = scale_gradient_of(made, torch.tensor(WEIGHTS))
    torch.testing.assert_close(gradient, expected.reshape(1), atol=1e-5, rtol=1e-5)


def test_each_head_has_its_own_norm() -> None:
    partition = Partition.along(torch.tensor([0, 0, 1, 1]), -2, "module_head")
    weight = torch.tensor([[1.0, -3.0], [0.5, 0.5], [0.1, 0.1], [0.2, 0.0]])
    factor = quantizer(partition).gradient_factor(weight, torch.tensor([7.0, 7.0]))
    torch.testing.assert_close(factor, (7 * torch.tensor([5.0, 0.4])).rsqrt())


@pytest.mark.parametrize(("options", "factor"), [
    ({}, 1 / (7 * math.sqrt(3))), ({"activation_gradient_scale": "lsq"}, 1 / math.sqrt(7 * 3)),
    ({"gradient_scale": "numel"}, 1 / math.sqrt(7 * 3)), ({"gradient_scale": "off"}, 1.0)])
def test_activations_with_one_scale_have_the_codes_factor(options: dict[str, Any], factor: float) -> None:
    made = quantizer(activation=True, **options)
    assert float(made.gradient_factor(torch.tensor(WEIGHTS), torch.tensor([7.0]))) == pytest.approx(factor)


def test_activations_of_heads_have_the_norms_factor() -> None:
    partition = Partition.along(torch.arange(2), -3, "head")
    tensor = torch.randn(5, 2, 3, 4)
    factor = quantizer(partition, activation=True).gradient_factor(tensor, torch.tensor([7.0, 7.0]))
    torch.testing.assert_close(factor, (7 * tensor.abs().sum((0, 2, 3))).rsqrt())


def test_forward_and_gradient_to_the_tensor() -> None:
    made = quantizer(bits=3, scale=0.25)
    tensor = torch.tensor([-3, -0.8, -0.3, 0, 0.12, 0.3, 0.55, 2], requires_grad=True)
    quantized = made(tensor)
    assert quantized.tolist() == [-1, -0.75, -0.25, 0, 0, 0.25, 0.5, 0.75]
    quantized.sum().backward()
    assert tensor.grad is not None
    assert tensor.grad.tolist() == [0, 1, 1, 1, 1, 1, 1, 0]


def test_kept_slots_are_left_as_they_are() -> None:
    made = quantizer(Partition.along(torch.arange(2), -1, "module"), scale=0.3)
    made.kept = torch.tensor([False, True])
    tensor = torch.tensor([[0.4, 0.4]], requires_grad=True)
    quantized = made(tensor)
    torch.testing.assert_close(quantized, torch.tensor([[0.3, 0.4]]))
    assert made.describe()["bits"] == [4, 32]
    quantized.sum().backward()
    assert made.scale.grad is not None
    assert float(made.scale.grad[1]) == 0


# What gets which scale


def site(role: str, operand: str, axes: tuple[str, ...] = ("out", "in"), sizes: tuple[int | None, ...] = (12, 4),
         split: HeadSplit | None = None) -> Site:
    layout = Layout(axes, sizes, -2 if operand == "weight" else -1, split)
    return Site(f"{role}.{operand}", role, operand, role, 0, layout)


def made_for(of: Site, **options: Any) -> ModuleDependent:
    return module_dependent(ModuleDependentOptions(**options), of, 4)


def test_heads_lie_along_outputs_of_qkv_and_inputs_of_the_projection() -> None:
    fused = made_for(site("qkv", "weight", split=HeadSplit(-2, 2, 3)))
    assert fused.partition.index.shape == (12, 1)
    assert fused.partition.index.flatten().tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    projection = made_for(site("proj", "weight", sizes=(4, 4), split=HeadSplit(-1, 2)))
    assert projection.partition.index.shape == (4,)
    assert projection.partition.index.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(("granularity", "qkv", "proj", "query", "fc1"), [
    ("head", 6, 2, 2, 1), ("module", 3, 1, 1, 1), ("layer", 1, 1, 1, 1)])
def test_granularities(granularity: str, qkv: int, proj: int, query: int, fc1: int) -> None:
    heads = HeadSplit(-3, 2)
    sites = [site("qkv", "weight", split=HeadSplit(-2, 2, 3)),
             site("proj", "weight", sizes=(4, 4), split=HeadSplit(-1, 2)),
             site("query", "query", ("head", "token", "dim"), (2, None, 2), heads), site("fc1", "weight")]
    assert [made_for(each, granularity=granularity).partition.slots for each in sites] == [qkv, proj, query, fc1]


@pytest.mark.parametrize(("role", "operand", "scheme", "offset"), [
    ("attention", "attention", "unsigned", False), ("fc2", "input", "unsigned", True),
    ("fc1", "input", "symmetric", False), ("fc2", "weight", "symmetric", False),
    ("query", "query", "symmetric", False), ("proj", "input", "symmetric", False)])
def test_signs_and_offsets(role: str, operand: str, scheme: str, offset: bool) -> None:
    made = made_for(site(role, operand))
    assert (made.scheme, made.offset is not None) == (scheme, offset)


def test_activations_start_from_the_signed_levels_also_where_they_are_unsigned() -> None:
    tensor = torch.rand(50)
    made = made_for(site("fc2", "input", ("channel",), (50,)))
    made.initialise(tensor, "lsq")
    torch.testing.assert_close(made.scale.detach(), (2 * tensor.mean() / math.sqrt(7)).reshape(1))
    assert made.offset is not None
    assert made.offset.tolist() == [0]


def test_weights_start_at_a_least_squares_scale() -> None:
    weight = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
    made = made_for(site("fc1", "weight"))
    made.initialise(weight, "mse")
    scale = made.scale.item()
    codes = (weight / scale).clamp(-8, 7).round()
    assert scale == pytest.approx(float((weight * codes).sum() / codes.square().sum()), rel=1e-4)


# Placement


def placed(context: Context | None = None, **options: Any) -> Context:
    context = context or toy_context(Bits(4, 4))
    spec = registry().methods["variation"]
    method = registry().component(spec)(resolve(spec.options, options, "method variation"))
    method.place(context)
    return context


def bits_of(context: Context, path: str) -> Any:
    return context.model.quantizer(path).describe()["bits"]


def test_first_and_last_layer_have_eight_bits() -> None:
    context = placed()
    assert [bits_of(context, path) for path in ("stem.weight", "stem.input", "head.weight", "head.input")] == [8] * 4
    others = [path for path, each in context.model.sites.items() if each.role not in ("patch_embed", "head")]
    assert all(bits_of(context, path) == 4 for path in others)
    free = placed(first_last_bits=None)
    assert [bits_of(free, path) for path in ("stem.weight", "stem.input", "head.weight", "head.input")] == [4, 8, 4, 4]


def test_merging_layers_of_swin() -> None:
    pytest.importorskip("timm")
    from timm.models.swin_transformer import SwinTransformer

    from harness import instrument
    from harness.engine.workspace import adapters

    def swin(**options: Any) -> Context:
        context = toy_context(Bits(3, 3))
        context.model = instrument(SwinTransformer(img_size=16, patch_size=2, window_size=4, embed_dim=8, depths=(1, 1),
                                                   num_heads=(1, 2), num_classes=5), adapters(registry()))
        return placed(context, **options)

    context = swin()
    weight, taken = (next(path for path, each in context.model.sites.items()
                          if each.role == "downsample" and each.operand == operand) for operand in ("weight", "input"))
    assert (bits_of(context, weight), bits_of(context, taken)) == (8, 32)
    as_others = swin(merging="run")
    assert (bits_of(as_others, weight), bits_of(as_others, taken)) == (3, 3)


MODULES = {
    "ffn": {"fc1.weight", "fc1.input", "fc2.weight", "fc2.input"},
    "mhsa": {"attn.qkv.weight", "attn.qkv.input", "attn.query", "attn.key", "attn.attention", "attn.value",
             "attn.proj.weight", "attn.proj.input"},
    "q": {"attn.query"}, "k": {"attn.key"}, "v": {"attn.value"}}


def full_precision(context: Context) -> set[str]:
    """Sites of the second block in full precision, without its name."""
    return {path.removeprefix("blocks.1.") for path, each in context.model.sites.items()
            if each.block == 1 and isinstance(context.model.quantizer(path), Identity)}


@pytest.mark.parametrize("module", ["ffn", "mhsa", "q", "k", "v"])
def test_leaving_one_module_out(module: str) -> None:
    context = placed(leave_out=[module])
    assert full_precision(context) == MODULES[module]
    assert bits_of(context, "head.weight") == 8
    fused = bits_of(context, "blocks.1.attn.qkv.weight")
    if module in "qkv":
        kept = "qkv".index(module)
        assert fused == [32 if part == kept else 4 for part in (0, 0, 1, 1, 2, 2)]
    weights_only = placed(leave_out=[module], module_sites="weights")
    assert full_precision(weights_only) == {path for path in MODULES[module] if path.endswith("weight")}
    assert bits_of(weights_only, "blocks.1.attn.qkv.weight") == fused


@pytest.mark.parametrize("module", ["ffn", "mhsa", "q", "k", "v"])
def test_quantizing_one_module_only(module: str) -> None:
    context = placed(only=[module])
    everything = MODULES["ffn"] | MODULES["mhsa"]
    fused = {"attn.qkv.weight"} if module in "qkv" else set()
    assert full_precision(context) == everything - MODULES[module] - fused
    assert bits_of(context, "head.weight") == bits_of(context, "stem.input") == 32
    if fused:
        quantized = "qkv".index(module)
        bits = [4 if part == quantized else 32 for part in (0, 0, 1, 1, 2, 2)]
        assert bits_of(context, "blocks.1.attn.qkv.weight") == bits
    weights_only = placed(only=[module], module_sites="weights")
    assert all(isinstance(weights_only.model.quantizer(path), Identity)
               for path, each in weights_only.model.sites.items() if not each.is_weight)


def test_one_part_of_a_layer_wise_weight_gets_scales_by_module() -> None:
    context = placed(leave_out=["k"], weights={"granularity": "layer"})
    assert bits_of(context, "blocks.0.attn.qkv.weight") == [4, 32, 4]
    weight = context.model.operation("blocks.0.attn.qkv").weight
    kept = context.model.quantizer("blocks.0.attn.qkv.weight")(weight)
    changed = (kept != weight).any(1).reshape(3, 16).any(1)
    assert changed.tolist() == [True, False, True]


def test_other_quantizers_cannot_leave_out_a_part() -> None:
    with pytest.raises(QuantizationError, match="cannot leave a part") as error:
        placed(leave_out=["q"], weights="learned")
    assert "mhsa" in error.value.remedy


def test_one_head_is_probed() -> None:
    context = placed(toy_context(Bits(8, 8)), head_probe={"block": 1, "head": 1})
    assert bits_of(context, "blocks.1.attn.qkv.weight") == [8, 2, 8, 2, 8, 2]
    for path in ("attn.proj.weight", "attn.proj.input", "attn.query", "attn.key", "attn.attention", "attn.value"):
        assert bits_of(context, f"blocks.1.{path}") == [8, 2], path
    changed = {path for path, each in context.model.quantizers.items() if each.describe()["bits"] != 8}
    assert changed == {f"blocks.1.{path}" for path in MODULES["mhsa"] - {"attn.qkv.input"}}


@pytest.mark.parametrize(("options", "message"), [
    ({"head_probe": {"block": 0, "head": 2}}, "has 2 heads"), ({"head_probe": {"block": 9}}, "no quantized head"),
    ({"head_probe": {}, "activations": {"granularity": "layer"}}, "has one for several")])
def test_a_probe_that_is_not_there(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        placed(**options)


def test_one_bit_is_refused() -> None:
    with pytest.raises(OptionError, match="language models only"):
        placed(toy_context(Bits(1, 4)))


def test_separate_projections_are_modules_too() -> None:
    from harness_plugins.variation.modules import kept_parts
    from harness_plugins.variation.options import VariationOptions

    options = VariationOptions(leave_out=("q",))
    assert kept_parts(site("query", "weight"), options) == [True]
    assert kept_parts(site("query", "input"), options) == [False]
    assert kept_parts(site("key", "weight"), options) == [False]
    assert kept_parts(site("query", "input"), VariationOptions(leave_out=("mhsa",))) == [True]


ABLATIONS = registry().methods["variation"].ablations


@pytest.mark.parametrize("name", ABLATIONS)
def test_every_ablation_trains(name: str) -> None:
    spec = registry().methods["variation"]
    method = registry().component(spec)(resolve(spec.options, ABLATIONS[name], "method variation"))
    context = toy_context(Bits(3, 3), budget="steps=2", method=method)
    for act in (method.place, method.calibrate, method.train):
        act(context)
    assert all(math.isfinite(value) for value in context.notes["training"][0]["loss"])


def test_without_mdq_the_scales_are_lsqs() -> None:
    context = placed(**ABLATIONS["w/o MDQ"])
    for path, each in context.model.quantizers.items():
        assert isinstance(each, ModuleDependent), path
        assert (each.partition.slots, each.gradient_scale, each.plain) == (1, "numel", False), path


def test_a_real_transformer() -> None:
    context = placed(context_of(transformer(), torch.randn(4, 3, 8, 8)))
    assert context.model.quantizer("blocks.0.attn.qkv.weight").describe()["groups"] == 9
