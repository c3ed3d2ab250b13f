"""The published BOPs columns, from traced full-size models."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from full_size_models import DEIT_B, DEIT_S, DEIT_T, SWIN_T, WIDTH, full_size

from harness import Partition, Quantizer, Site, Uniform
from harness.cost.conventions import QUANTFORMER_CONSTANT, plain, quantformer, qvit


@pytest.mark.parametrize(("model", "bits", "published", "derived"), [
    (DEIT_T, 4, 21.5, 21.456), (DEIT_T, 3, 12.9, 12.883),
    (DEIT_S, 4, 76.4, 76.38), (DEIT_S, 3, 44.6, 44.59),
    (SWIN_T, 4, 72.6, 72.58), (SWIN_T, 3, 41.3, 41.25)])
def test_qvit_table_1_uniform_rows(model: str, bits: int, published: float, derived: float) -> None:
    operations = full_size(model).at_bits(bits)
    giga = qvit(operations) / 1e9
    assert giga == pytest.approx(published, abs=0.05)  # printed with one decimal
    assert giga == pytest.approx(derived, abs=0.006)
    assert plain(operations) == qvit(operations)  # no heads, no groups: nothing to differ in


@pytest.mark.parametrize(("bits", "derived"), [(4, 286.61), (3, 164.47), (2, 77.24)])
def test_qvit_rule_on_deit_base(bits: int, derived: float) -> None:
    assert qvit(full_size(DEIT_B).at_bits(bits)) / 1e9 == pytest.approx(derived, abs=0.006)


def test_qvit_rule_with_bits_per_head_is_the_papers_formula() -> None:
    """q, k, v, attention, outputs and their weights with bits of their own in each of three heads."""
    bits = {"query": [2, 4, 8], "key": [8, 4, 2], "value": [3, 3, 6], "attention": [8, 2, 2], "output": [2, 4, 6]}
    qkv_weight, proj_weight, block_input, fc = [2, 4, 8, 4, 4, 4, 8, 8, 2], [8, 8, 2], 5, 3

    def place(site: Site) -> Quantizer:
        match site.role, site.operand:
            case "qkv", "weight":
                return Uniform(site.layout.partition("module_head"), qkv_weight)
            case "proj", operand:
                return Uniform(site.layout.partition("head"), proj_weight if operand == "weight" else bits["output"])
            case ("query" | "key" | "value" | "attention") as role, _:
                return Uniform(site.layout.partition("head"), bits[role])
        return Uniform(Partition.tensor(), {"qkv": block_input, "fc1": fc, "fc2": fc}.get(site.role, 8))

    n, d = 197, 192
    heads = 3
    block = (n * d * d * sum(qkv_weight) / heads * block_input
             + n * d * d * sum(bits["output"]) / heads * sum(proj_weight) / heads
             + n * n * d * sum(q * k for q, k in zip(bits["query"], bits["key"], strict=True)) / heads
             + n * n * d * sum(v * a for v, a in zip(bits["value"], bits["attention"], strict=True)) / heads
             + 2 * n * 4 * d * d * fc * fc)
    ends = 64 * (196 * 768 * d + d * 1000)
    assert qvit(full_size(DEIT_T).place(place)) == pytest.approx(12 * block + ends, rel=1e-12)


QUANTFORMER_TABLE_5 = [
    (DEIT_T, 2, 22.3, 23.2), (DEIT_T, 3, 27.6, 28.5), (DEIT_T, 4, 34.9, 35.8),
    (DEIT_S, 2, 53.0, 54.8), (DEIT_S, 3, 73.9, 75.7), (DEIT_S, 4, 103.2, 105.0),
    (DEIT_B, 2, 139.5, 143.2), (DEIT_B, 3, 223.2, 226.9), (DEIT_B, 4, 340.3, 344.0)]


def quantformer_placement(bits: int, groups: int) -> Callable[[Site], Quantizer]:
    """The paper's: block linears at ``bits``, their inputs in groups of channels, everything else at 8."""
    def place(site: Site) -> Quantizer:
        if site.role not in ("qkv", "proj", "fc1", "fc2"):
            return Uniform(Partition.tensor(), 8)
        if site.is_weight or groups == 1:
            return Uniform(Partition.tensor(), bits)
        channels = site.layout.channels or 0
        return Uniform(Partition.along(torch.arange(channels) * groups // channels, -1, "learned groups"), bits)
    return place


@pytest.mark.parametrize(("model", "bits", "layer_wise", "group_wise"), QUANTFORMER_TABLE_5)
def test_quantformer_table_5(model: str, bits: int, layer_wise: float, group_wise: float) -> None:
    for groups, published in ((1, layer_wise), (8, group_wise)):
        giga = quantformer(full_size(model).place(quantformer_placement(bits, groups))) / 1e9
        assert giga == pytest.approx(published, abs=0.1), groups


@pytest.mark.parametrize("model", WIDTH)
def test_quantformers_constant_is_what_the_parts_sum_to(model: str) -> None:
    bops = quantformer(full_size(model).place(quantformer_placement(4, 1)))
    width = WIDTH[model]
    assert bops == pytest.approx(16 * 12 * 12 * width**2 * 197 + QUANTFORMER_CONSTANT * width, rel=1e-12)


@pytest.mark.parametrize(("model", "published"), [(DEIT_T, 1.3), (DEIT_S, 4.7), (DEIT_B, 18.0)])
def test_quantformer_full_precision_rows(model: str, published: float) -> None:
    operations = full_size(model).place(lambda site: None)
    assert quantformer(operations) / 1e12 == pytest.approx(published, abs=0.05)
    assert quantformer(operations) == 1024 * sum(operation.macs for operation in operations)
