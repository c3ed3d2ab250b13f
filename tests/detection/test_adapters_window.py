"""The twin of mmdet's window attention against the module that it replaces."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness import InstrumentedModel, QuantizationError, instrument
from harness.model.unseen import unseen_products
from harness_tasks.detection.mmcv_compat import ensure_mmcv
from harness_tasks.detection.window_attention import WindowAttentionTwin

ensure_mmcv()

from mmdet.models.backbones.swin import ShiftWindowMSA, WindowMSA  # noqa: E402

ADAPTERS = {"mmdet.models.backbones.swin.WindowMSA": WindowAttentionTwin}


def scattered(module: nn.Module) -> nn.Module:
    """Random weights large enough for attention to differ from uniform, position bias and biases too."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn_like(parameter) * (0.3 if parameter.dim() > 1 else 0.1))
    return module.eval()


def window(**options: Any) -> nn.Module:
    torch.manual_seed(0)
    return scattered(WindowMSA(**{"embed_dims": 12, "num_heads": 3, "window_size": (2, 3), **options}))


def check(original: nn.Module, *inputs: Any) -> InstrumentedModel:
    with torch.no_grad():
        expected = original(*inputs)
        model = instrument(nn.ModuleDict({"attn": copy.deepcopy(original)}), ADAPTERS)
        torch.testing.assert_close(model.model["attn"](*inputs), expected, rtol=1e-5, atol=1e-6)
    assert float(expected.std()) > .05
    return model


@pytest.mark.parametrize("options", [
    {}, {"num_heads": 1}, {"num_heads": 12}, {"qkv_bias": False}, {"qk_scale": 2}, {"window_size": (3, 2)},
    {"attn_drop_rate": .5, "proj_drop_rate": .5}], ids=str)
@pytest.mark.parametrize("windows", [0, 1, 4])
def test_twin_and_original_agree(options: dict[str, Any], windows: int) -> None:
    torch.manual_seed(windows)
    tokens = torch.randn(2 * max(windows, 1), 6, 12)
    mask = torch.where(torch.rand(windows, 6, 6) < .3, -100., 0.) if windows else None
    model = check(window(**options), tokens, mask)
    assert unseen_products(model, lambda m: m.model["attn"](tokens, mask)) == []


@pytest.mark.parametrize("shift", [0, 1])
@pytest.mark.parametrize("size", [(6, 6), (7, 5), (2, 2)])
def test_shifted_windows_and_padding(shift: int, size: tuple[int, int]) -> None:
    torch.manual_seed(1)
    original = scattered(ShiftWindowMSA(12, 3, window_size=3, shift_size=shift))
    model = check(original, torch.randn(2, size[0] * size[1], 12), size)
    assert {site.operand for site in model.sites.values()} >= {"query", "key", "attention", "value"}
    assert "attn.w_msa.attention" in model.sites


def test_heads_and_modules_of_its_projections() -> None:
    model = instrument(nn.ModuleDict({"attn": window()}), ADAPTERS)
    assert model.sites["attn.qkv.weight"].layout.partition("module_head").slots == 3 * 3
    assert model.sites["attn.qkv.weight"].layout.partition("module").slots == 3
    assert model.sites["attn.proj.input"].layout.partition("head").slots == 3
    assert model.sites["attn.proj.weight"].layout.partition("head").slots == 3
    assert model.sites["attn.value"].layout.channels == 4


def test_gradients_reach_the_same_parameters() -> None:
    original, tokens = window(), torch.randn(4, 6, 12)
    original(tokens).square().sum().backward()
    model = instrument(nn.ModuleDict({"attn": copy.deepcopy(original)}), ADAPTERS)
    model.zero_grad()
    model.model["attn"](tokens).square().sum().backward()
    for name in ("qkv.weight", "proj.bias", "relative_position_bias_table"):
        torch.testing.assert_close(model.model["attn"].get_parameter(name).grad, original.get_parameter(name).grad,
                                   rtol=1e-4, atol=1e-5)


def test_restored_is_the_original_class_and_answers_bit_by_bit() -> None:
    original = window()
    tokens = torch.randn(4, 6, 12)
    expected: Tensor = original(tokens)
    model = instrument(nn.ModuleDict({"attn": original}), ADAPTERS)
    restored = model.restore()["attn"]
    assert restored is original
    assert type(restored.qkv) is nn.Linear
    assert torch.equal(restored(tokens), expected)


def test_without_the_adapter_it_is_refused() -> None:
    with pytest.raises(QuantizationError, match="WindowMSA"):
        instrument(nn.ModuleDict({"attn": window()}), {})
