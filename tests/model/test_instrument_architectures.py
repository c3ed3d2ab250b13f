"""Real architectures of timm with random weights: with identity quantizers nothing changes, and nothing is missed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from harness import InstrumentedModel, QuantizationError, instrument, trace
from harness.model.unseen import unseen_products
from harness.registry import registry

VIT: dict[str, dict[str, Any]] = {
    "vit_tiny_patch16_224": {"img_size": 64},
    "vit_small_patch32_224": {"img_size": 64},
    "vit_base_patch32_224": {"img_size": 64, "depth": 4},
    "deit_tiny_patch16_224": {"img_size": 64},
    "deit_small_patch16_224": {"img_size": 48, "depth": 4},
    "deit_tiny_distilled_patch16_224": {"img_size": 64},
    "deit3_small_patch16_224": {"img_size": 64},
    "deit3_medium_patch16_224": {"img_size": 64, "depth": 4},
    "vit_base_patch16_gap_224": {"img_size": 32, "depth": 3},
    "vit_wee_patch16_reg1_gap_256": {"img_size": 64},
    "vit_little_patch16_reg4_gap_256": {"img_size": 64, "depth": 4},
    "vit_small_patch14_reg4_dinov2": {"img_size": 56, "num_classes": 10, "depth": 4},
    "vit_base_patch16_rpn_224": {"img_size": 32, "depth": 3},
    "pit_ti_224": {},
}
SWIN: dict[str, dict[str, Any]] = {
    "swin_tiny_patch4_window7_224": {"img_size": 112},
    "swin_small_patch4_window7_224": {"img_size": 112, "depths": (2, 2, 4, 2)},
    "swin_base_patch4_window7_224": {"img_size": 56, "window_size": 7, "depths": (1, 2, 2, 1)},
}
CONV = ("resnet18", "resnet50", "mobilenetv2_100", "efficientnet_b0", "seresnet50", "convnext_atto", "vgg11_bn")
ALL = [*VIT, *SWIN, *CONV]


def _build(name: str) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    options = {**VIT, **SWIN}.get(name, {})
    model = timm.create_model(name, **options).eval()
    size = options.get("img_size") or (224 if name == "pit_ti_224" else 64)
    return model, torch.randn(1, 3, size, size)


def _adapters() -> dict[str, Callable[[nn.Module], Any]]:
    known = registry()
    return {spec.attention: known.component(spec) for spec in known.adapters.values()}


def _classes(model: nn.Module) -> list[tuple[str, type[nn.Module]]]:
    return [(path, type(module)) for path, module in model.named_modules()]


@pytest.mark.parametrize("name", ALL)
@torch.no_grad()
def test_identity_coverage_and_restore(name: str) -> None:
    original, picture = _build(name)
    expected = original(picture)
    classes, state = _classes(original), {key: value.clone() for key, value in original.state_dict().items()}
    weights = [path for path, module in original.named_modules()
               if isinstance(module, nn.Linear | nn.Conv2d | nn.Embedding)]
    attentions = [(path, module.num_heads) for path, module in original.named_modules()
                  if f"{type(module).__module__}.{type(module).__name__}" in _adapters()]

    model = instrument(original, _adapters())
    given = model(picture)
    if name in CONV:
        assert torch.equal(given, expected)
    else:  # opening up a fused attention kernel changes the order of additions
        torch.testing.assert_close(given, expected, rtol=1e-4, atol=2e-5)
    _check_weights(model, weights)
    assert bool(attentions) == (name not in CONV)
    for path, heads in attentions:
        _check_attention(model, path, heads)
    assert unseen_products(model, lambda m: m(picture)) == []

    now = {key: value for key, value in model.model.state_dict().items() if ".quantizers." not in key}
    assert now.keys() == state.keys()
    assert all(torch.equal(now[key], state[key]) for key in state)
    restored = model.restore()
    assert _classes(restored) == classes
    assert torch.equal(restored(picture), expected)
    assert restored.state_dict().keys() == state.keys()


def _check_weights(model: InstrumentedModel, weights: list[str]) -> None:
    sites = {site.operation: site for site in model.sites.values() if site.is_weight}
    assert set(sites) == set(weights)
    for path, site in sites.items():
        weight = model.operation(path).weight
        assert site.path == f"{path}.weight"
        assert site.layout.sizes == tuple(weight.shape)
        assert site.layout.partition("channel").slots == weight.shape[0]
        if not isinstance(model.operation(path).__dict__["original"], nn.Embedding):
            assert f"{path}.input" in model.sites


def _check_attention(model: InstrumentedModel, path: str, heads: int) -> None:
    for operand in ("query", "key", "attention", "value"):
        site = model.sites[f"{path}.{operand}"]
        assert (site.operand, site.role) == (operand, operand)
        assert site.block is not None
        assert site.layout.heads == heads
        assert site.layout.partition("head").slots == heads
    for operand in ("query", "key", "value"):
        layout = model.sites[f"{path}.{operand}"].layout
        width = model.sites[f"{path}.qkv.weight"].layout.sizes[0]
        assert layout.partition("channel").slots * 3 * heads == width
    fused = model.sites[f"{path}.qkv.weight"]
    assert (fused.role, fused.layout.partition("module_head").slots) == ("qkv", 3 * heads)
    assert model.sites[f"{path}.proj.input"].layout.partition("head").slots == heads


@pytest.mark.parametrize("name", ["deit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "resnet18"])
def test_blocks_and_roles(name: str) -> None:
    original, _ = _build(name)
    model = instrument(original, _adapters())
    blocks = {site.block for site in model.sites.values()}
    roles = {site.role for site in model.sites.values()}
    if name == "resnet18":
        assert roles == {"conv", "downsample", "head"}
    else:
        shared = {"patch_embed", "qkv", "query", "key", "value", "attention", "proj", "fc1", "fc2", "head"}
        assert roles == shared | ({"downsample"} if name.startswith("swin") else set())
        # Swin numbers the patch merging of its last three stages among the blocks.
        assert blocks == {None, *range(12 if name.startswith("deit") else 15)}
        assert {site.block for site in model.sites.values() if site.role in ("patch_embed", "head")} == {None}


@pytest.mark.parametrize("name", ["beit_base_patch16_224", "vit_pwee_patch16_reg1_gap_256", "convit_tiny"])
def test_attention_without_adapter_is_refused(name: str) -> None:
    """By the name of the class, and by timm's marks in blocks that are not called attention."""
    original = timm.create_model(name)
    classes = _classes(original)
    named = r"class timm\.models\.\w+\.(Attention|ParallelScalingBlock|GPSA) "
    with pytest.raises(QuantizationError, match=named) as caught:
        instrument(original, _adapters())
    assert "harness_adapters" in str(caught.value)
    assert _classes(original) == classes  # and the model is as it was


class FooAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(4, 12)


def test_a_class_named_attention_is_refused() -> None:
    with pytest.raises(QuantizationError, match=r"FooAttention \(at '0'\)"):
        instrument(nn.Sequential(FooAttention()), {})


#: G multiply-accumulates for one 224 x 224 picture, from the shapes by hand (see the formula below).
MACS = {"deit_tiny_patch16_224": 1.2537e9, "deit_small_patch16_224": 4.5990e9}


@pytest.mark.parametrize("name", MACS)
def test_traced_macs(name: str) -> None:
    width, tokens, depth = (192 if "tiny" in name else 384), 197, 12
    by_hand = (196 * 768 * width + depth * (12 * tokens * width**2 + 2 * tokens**2 * width) + 1000 * width)
    model = instrument(timm.create_model(name).eval(), _adapters())
    operations = trace(model, lambda m: m(torch.randn(2, 3, 224, 224)), samples=2)
    assert sum(operation.macs for operation in operations) == by_hand
    assert by_hand == pytest.approx(MACS[name], rel=1e-4)
    assert [operation.path for operation in operations][:2] == ["patch_embed.proj", "blocks.0.attn.qkv"]
    scores = next(operation for operation in operations if operation.kind == "scores")
    assert (scores.macs, scores.rows) == (tokens**2 * width, width // 64 * tokens)
    assert scores.operand("key").elements == tokens * width


def test_traced_macs_of_swin_and_resnet() -> None:
    swin = instrument(timm.create_model("swin_tiny_patch4_window7_224").eval(), _adapters())
    linear = sum(depth * 12 * (96 * 2**s) ** 2 * (56 // 2**s) ** 2 for s, depth in enumerate((2, 2, 6, 2)))
    products = sum(depth * 2 * 49 * 96 * 2**s * (56 // 2**s) ** 2 for s, depth in enumerate((2, 2, 6, 2)))
    merging = sum((56 // 2**(s + 1)) ** 2 * 4 * (96 * 2**s) * 2 * (96 * 2**s) for s in range(3))
    by_hand = linear + products + merging + 3136 * 48 * 96 + 768 * 1000
    assert sum(o.macs for o in trace(swin, lambda m: m(torch.randn(1, 3, 224, 224)))) == by_hand
    resnet = instrument(timm.create_model("resnet18").eval(), {})
    total = sum(o.macs for o in trace(resnet, lambda m: m(torch.randn(1, 3, 224, 224))))
    assert total == pytest.approx(1.814e9, rel=1e-3)  # the published 1.8 G of ResNet-18
