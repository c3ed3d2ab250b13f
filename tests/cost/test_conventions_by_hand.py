"""The conventions on operations small enough to count by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from full_size_models import DEIT_T, full_size, uniform
from torch import Tensor

from harness import Operand, Operation, Quantizer, Uniform
from harness.cost.conventions import plain, quantformer, qvit

GROUPS, TOKENS, WIDTH, HEADS = 8, 197, 192, 3


def operand(name: str, bits: int | tuple[int, ...], granularity: str = "tensor", **fields: Any) -> Operand:
    defaults: dict[str, Any] = {"elements": 10, "quantizer": "uniform", "groups": 1, "dynamic": False}
    return Operand(f"layer.{name}", name, bits=bits, granularity=granularity, **(defaults | fields))


def operation(kind: str, *operands: Operand) -> Operation:
    return Operation("layer", kind, "role", 0, macs=100, outputs=20, inner=5, rows=4, operands=operands)


def test_full_precision_counts_32_bits() -> None:
    linear = operation("linear", operand("weight", 4), operand("input", 32, "none", groups=0))
    assert plain([linear]) == qvit([linear]) == 100 * 4 * 32


def test_heads_of_a_product_meet_only_themselves() -> None:
    scores = operation("scores", operand("query", (2, 4, 8), "head"), operand("key", (8, 4, 2), "head"))
    assert plain([scores]) == qvit([scores]) == 100 * (16 + 16 + 16) / 3
    uniform_key = operation("scores", scores.operands[0], operand("key", 3, "head"))
    assert plain([uniform_key]) == qvit([uniform_key]) == pytest.approx(100 * 3 * 14 / 3)


def test_projection_of_heads_multiplies_means_in_qvits_rule_only() -> None:
    proj = operation("linear", operand("weight", (2, 4, 8), "head"), operand("input", (8, 4, 2), "head"))
    assert qvit([proj]) == quantformer([proj]) == pytest.approx(100 * (14 / 3) ** 2)
    assert plain([proj]) == pytest.approx(100 * 16)


def test_slots_of_equal_number_on_different_axes_are_not_paired() -> None:
    linear = operation("linear", operand("weight", (2, 8), "channel"), operand("input", (8, 2), "channel"))
    assert plain([linear]) == 100 * 5 * 5


def test_each_group_of_the_sum_beyond_the_first_is_rescaled() -> None:
    linear = operation("linear", operand("weight", 4), operand("input", 4, "learned groups", groups=3, summed_groups=3))
    assert plain([linear]) == quantformer([linear]) == 100 * 16 + 2 * 20 * 32
    assert qvit([linear]) == 100 * 16
    both = operation("linear", operand("weight", 4, "head", groups=3, summed_groups=3), linear.operands[1])
    assert plain([both]) == plain([linear])  # the same groups on both sides share their partial sums


def test_embedding_costs_no_products() -> None:
    assert plain([replace(operation("embedding", operand("weight", 8)), macs=0)]) == 0


def test_bops_add_up_over_operations() -> None:
    first = operation("linear", operand("weight", 4), operand("input", 4, "x", groups=3, summed_groups=3, dynamic=True))
    second = operation("values", operand("attention", 8), operand("value", 8))
    for convention in (plain, qvit, quantformer):
        assert convention([first, second]) == convention([first]) + convention([second])


class Described(Quantizer):
    """Says what it is told to say."""

    def __init__(self, granularity: str, groups: int, bits: int = 4) -> None:
        super().__init__()
        self.said = {"quantizer": "described", "bits": bits, "granularity": granularity, "groups": groups,
                     "dynamic": True}

    def quantize(self, tensor: Tensor) -> Tensor:
        return tensor

    def describe(self) -> dict[str, Any]:
        return dict(self.said)


def overhead(path: str, quantizer: Quantizer) -> float:
    """What ``quantizer`` at one site of DeiT-T adds to one 4-bit scale there."""
    def bops(chosen: Quantizer) -> float:
        return plain(full_size(DEIT_T).place(lambda site: chosen if site.path == path else None))
    return bops(quantizer) - bops(uniform(full_size(DEIT_T).model.sites[path], 4))


FC1, FC1_OUTPUTS = "blocks.3.mlp.fc1.input", TOKENS * 4 * WIDTH
ATTENTION, ROWS = "blocks.3.attn.attention", HEADS * TOKENS
RANGES = 2 * TOKENS * WIDTH * 32
ROW_RANGES = 2 * ROWS * TOKENS * 32


def test_static_groups_of_channels() -> None:
    consecutive = Uniform(full_size(DEIT_T).model.sites[FC1].layout.partition("group", WIDTH // GROUPS), 4)
    assert overhead(FC1, consecutive) == (GROUPS - 1) * FC1_OUTPUTS * 32


@pytest.mark.parametrize(("groups", "expected"), [
    (1, RANGES),
    (GROUPS, (GROUPS - 1) * FC1_OUTPUTS * 32 + RANGES + WIDTH * GROUPS * 5 * 32),
    (WIDTH, (WIDTH - 1) * FC1_OUTPUTS * 32 + RANGES)])  # each channel its own: no nearest group to find
def test_dynamic_groups_of_channels(groups: int, expected: int) -> None:
    assert overhead(FC1, Described("instance groups", groups)) == expected


@pytest.mark.parametrize(("groups", "expected"), [
    (GROUPS, ROW_RANGES + ROWS * GROUPS * 5 * 32), (ROWS, ROW_RANGES)])
def test_dynamic_groups_of_rows_need_no_partial_sums(groups: int, expected: int) -> None:
    assert overhead(ATTENTION, Described("instance rows", groups)) == expected


def test_a_dynamic_tensor_pays_for_its_range() -> None:
    assert overhead(FC1, Described("tensor", 1)) == RANGES


@pytest.mark.parametrize(("path", "granularity", "expected"), [
    ("blocks.3.mlp.fc1.weight", "channel", 0),  # output channels: scales after the sum
    ("blocks.3.attn.query", "head", 0),  # heads are products of their own
    ("blocks.3.attn.query", "channel", (64 - 1) * HEADS * TOKENS * TOKENS * 32),
    ("blocks.3.attn.value", "channel", 0),
    ("blocks.3.attn.qkv.weight", "module_head", 0),
    ("blocks.3.attn.proj.input", "head", (HEADS - 1) * TOKENS * WIDTH * 32),
    ("blocks.3.attn.proj.weight", "head", (HEADS - 1) * TOKENS * WIDTH * 32),
    ("patch_embed.proj.input", "channel", (3 - 1) * 196 * WIDTH * 32),
    ("patch_embed.proj.weight", "channel", 0)])
def test_only_groups_inside_the_sum_cost(path: str, granularity: str, expected: int) -> None:
    assert overhead(path, uniform(full_size(DEIT_T).model.sites[path], 4, granularity)) == expected
