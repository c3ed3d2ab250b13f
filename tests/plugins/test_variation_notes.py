"""What variation-aware training notes: SDAM, the area and power of MAC units, oscillations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from harness import Bits, Context, instrument
from harness.engine.workspace import adapters
from harness.options import resolve
from harness.registry import registry
from harness.testing.toy import toy_context
from harness_plugins.variation.mac import MacUnit, mac_notes, mac_unit, mixed_mac_unit
from harness_plugins.variation.oscillation import OscillationMonitor
from harness_plugins.variation.sdam import sdam


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def method_of(**options: Any) -> Any:
    spec = registry().methods["variation"]
    return registry().component(spec)(resolve(spec.options, options, "method variation"))


def ready(bits: Bits, **options: Any) -> tuple[Context, Any]:
    method = method_of(**options)
    context = toy_context(bits, method=method)
    method.place(context)
    method.calibrate(context)
    return context, method


# Table 14 and Appendix E


@pytest.mark.parametrize(("pair", "unit"), [
    ((4, 4), MacUnit(608.404, 1.58901)), ((8, 8), MacUnit(893.642, 2.67960)), ((2, 8), MacUnit(605.405, 1.75574)),
    ((8, 2), MacUnit(605.405, 1.75574)), ((3, 5), MacUnit(602.053, 1.57912)), ((7, 8), MacUnit(864.889, 2.52819))])
def test_table_14(pair: tuple[int, int], unit: MacUnit) -> None:
    assert mac_unit(*pair) == unit


def test_the_table_is_complete_and_grows_with_the_bits() -> None:
    units = {(low, high): mac_unit(low, high) for low in range(2, 9) for high in range(low, 9)}
    assert len(units) == 28
    for (low, high), unit in units.items():
        if (low, high + 1) in units:
            assert units[low, high + 1].area > unit.area
            assert units[low, high + 1].power > unit.power


@pytest.mark.parametrize("pair", [(1, 4), (4, 9), (32, 32)])
def test_other_bit_widths_have_no_unit(pair: tuple[int, int]) -> None:
    with pytest.raises(KeyError):
        mac_unit(*pair)


def test_mixed_precision_has_the_largest_area_and_the_mean_power() -> None:
    """Table 8: one precision is the cell of Table 14; Q-ViT's area is that of its 8-bit layers."""
    assert mixed_mac_unit({(4, 4): 7.0}) == MacUnit(608.404, 1.58901)
    mixed = mixed_mac_unit({(4, 4): 3.0, (8, 8): 1.0})
    assert mixed.area == 893.642
    assert mixed.power == pytest.approx((3 * 1.58901 + 2.67960) / 4)


def test_the_notes_are_those_of_attention_and_feed_forward_networks() -> None:
    assert mac_notes(ready(Bits(4, 4))[0]) == {"area": 608.404, "power": pytest.approx(1.58901)}
    assert mac_notes(ready(Bits(3, 5))[0])["area"] == 665 - 0.501  # products of attention: INT5 x INT5
    assert mac_notes(ready(Bits(4, 4), leave_out=["ffn"])[0]) == {}
    assert mac_notes(toy_context(Bits(4, 4))) == {}


def test_a_probed_head_takes_its_share() -> None:
    context = ready(Bits(8, 8), head_probe={"block": 0, "head": 1})[0]
    noted = mac_notes(context)
    assert noted["area"] == 893.642
    # By hand: tiny transformer, 16 tokens of width 16, 2 blocks; half of one block's qkv weight, products, projection.
    qkv, product, proj, mlp = 16 * 16 * 48, 16 * 16 * 16, 16 * 16 * 16, 16 * 16 * 32
    macs = 2 * (qkv + 2 * product + proj + 2 * mlp)
    low = {(2, 2): (2 * product + proj) / 2, (2, 8): qkv / 2}
    power = sum(mac_unit(*pair).power * count for pair, count in low.items()) + 2.6796 * (macs - sum(low.values()))
    assert noted["power"] == pytest.approx(power / macs)


def test_swins_merging_layers_are_no_modules() -> None:
    from timm.models.swin_transformer import SwinTransformer

    context = toy_context(Bits(3, 3))
    context.model = instrument(SwinTransformer(img_size=16, patch_size=2, window_size=4, embed_dim=8, depths=(1, 1),
                                               num_heads=(1, 2), num_classes=5).eval(), adapters(registry()))
    method = method_of()
    method.place(context)
    assert mac_notes(context)["area"] == 571.183
    monitor = OscillationMonitor()
    monitor.prepare(context)
    with torch.no_grad():
        for sign in (1, -1, 1):
            for path in context.model.sites:
                if "downsample" in path and path.endswith("weight"):
                    context.model.operation(context.model.sites[path].operation).weight += sign * 10.0
            monitor(type("Step", (), {"model": context.model})())
    percent = monitor.notes()["oscillation_percent"]
    assert percent["downsample"] > 50
    assert percent["modules"] == 0


# SDAM


def test_sdam_by_hand() -> None:
    context = toy_context(Bits(4, 4))
    seen: dict[str, list[torch.Tensor]] = {}
    paths = [path for path, site in context.model.sites.items()
             if site.operand == "input" and site.role != "patch_embed"]
    context.calibration.observe(context.model, sites={
        path: lambda tensor, path=path: seen.setdefault(path, []).append(tensor) for path in paths})
    assert len(seen) == 9
    tensors = [torch.cat(parts) for parts in seen.values()]
    means = [tensor.abs().reshape(-1, tensor.shape[-1]).mean(0) for tensor in tensors]
    assert sdam(context) == pytest.approx(float(torch.stack([mean.std() for mean in means]).mean()), rel=1e-5)
    signed = [tensor.reshape(-1, tensor.shape[-1]).mean(0).abs() for tensor in tensors]
    assert sdam(context, "absolute_of_mean") == pytest.approx(
        float(torch.stack([mean.std() for mean in signed]).mean()), rel=1e-5)
    tokens = [tensor.abs().mean((0, 2)) for tensor in tensors if tensor.dim() == 3]
    assert sdam(context, across="tokens") == pytest.approx(
        float(torch.stack([mean.std() for mean in tokens]).mean()), rel=1e-5)


def test_sdam_grows_with_the_spread_of_channels() -> None:
    context = toy_context(Bits(4, 4))
    before = sdam(context)
    with torch.no_grad():
        context.model.get_parameter("model.blocks.0.norm1.weight")[5] *= 20
    assert sdam(context) > before


# The record's notes


def test_what_is_noted() -> None:
    context, method = ready(Bits(3, 3))
    method.train(context)
    assert set(context.notes) == {"training", "soft_labels", "sdam", "mac_unit"}
    (stage,) = context.notes["training"]
    assert set(stage["oscillation_percent"]) == {"modules", "fc1", "fc2", "head", "patch_embed", "proj", "qkv"}
    full_precision = toy_context(Bits(4, 4))
    assert context.notes["sdam"]["full_precision"] == pytest.approx(sdam(full_precision))
    assert context.notes["sdam"]["trained"] == pytest.approx(sdam(context))
    assert context.notes["mac_unit"] == {"area": 571.183, "power": pytest.approx(1.30043)}


def test_oscillations_need_not_be_tracked() -> None:
    context, method = ready(Bits(3, 3), track_oscillation=False)
    method.train(context)
    assert "oscillation_percent" not in context.notes["training"][0]


def test_the_published_rows_are_read() -> None:
    from harness.results.published import read_published

    rows = read_published(registry().published(registry().methods["variation"]), "variation")
    best = {(row.model, row.bits): row.value for row in rows
            if row.table == "Table 4" and row.method == "variation" and row.metric == "top1"}
    assert best["DeiT-T", "4/4"] == 74.71
    assert best["Swin-S", "2/2"] == 78.11
    assert len(best) == 12
    assert {row.table for row in rows} == {f"Table {number}" for number in (*range(1, 10), 12, 13, 15)}
