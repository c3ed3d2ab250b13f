"""Traced MACs against loops that count every multiplication, and against torch's own counter."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from full_size_models import DEIT_B, DEIT_S, DEIT_T, SWIN_T, full_size
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from harness import AttentionTwin, InstrumentedModel, Operation, Uniform, instrument, trace


def only(model: nn.Module, *shape: int, samples: int = 1) -> Operation:
    """The single operation of a model, run on zeros."""
    [operation] = trace(instrument(model, {}), lambda m: m(torch.zeros(shape)), samples)
    return operation


def test_linear() -> None:
    operation = only(nn.Sequential(nn.Linear(5, 3)), 2, 4, 5, samples=2)
    assert operation.macs == sum(1 for _ in product(range(4), range(3), range(5)))
    assert (operation.kind, operation.outputs, operation.inner, operation.rows) == ("linear", 12, 5, 4)
    assert [operand.elements for operand in operation.operands] == [15, 20]


@pytest.mark.parametrize("arguments", [
    {}, {"stride": 2, "padding": 1}, {"dilation": 2, "padding": (0, 2)}, {"groups": 2},
    {"groups": 4, "stride": (2, 1)}])
def test_convolution(arguments: dict[str, Any]) -> None:
    conv = nn.Conv2d(4, 8, (3, 2), **arguments)
    height, width = conv(torch.zeros(1, 4, 7, 6)).shape[2:]
    counted = 0
    for out, _, _ in product(range(8), range(height), range(width)):
        group = out // (8 // conv.groups)
        for channel, _, _ in product(range(4), range(3), range(2)):
            counted += channel // (4 // conv.groups) == group
    operation = only(nn.Sequential(conv), 3, 4, 7, 6, samples=3)
    assert operation.macs == counted
    assert operation.rows == height * width


HEADS, DIM = 2, 4


class CrossAttention(nn.Module):
    """(batch, head, n, d), (batch, head, m, d) -> (batch, head, n, d); the keys are the values."""

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        return torch.nn.functional.scaled_dot_product_attention(query, key, key)


class CrossAttentionTwin(AttentionTwin):
    def __init__(self, original: nn.Module) -> None:
        super().__init__(original, HEADS, DIM)

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        return self.core(query, key, key, DIM**-0.5)


@pytest.mark.parametrize(("queries", "keys"), [(5, 5), (3, 7)])
def test_attention_products(queries: int, keys: int) -> None:
    model = instrument(nn.ModuleDict({"cross": CrossAttention()}), {f"{__name__}.CrossAttention": CrossAttentionTwin})
    query, key = torch.zeros(2, HEADS, queries, DIM), torch.zeros(2, HEADS, keys, DIM)
    scores, values = trace(model, lambda m: m.model["cross"](query, key), samples=2)
    counted = sum(1 for _ in product(range(HEADS), range(queries), range(keys), range(DIM)))
    assert (scores.macs, scores.kind, scores.outputs, scores.inner) == (counted, "scores", HEADS * queries * keys, DIM)
    assert (values.macs, values.kind, values.outputs, values.inner) == (counted, "values", HEADS * queries * DIM, keys)
    assert [operand.elements for operand in values.operands] == [HEADS * queries * keys, HEADS * keys * DIM]
    assert scores.rows == values.rows == HEADS * queries


def test_embedding_multiplies_nothing() -> None:
    model = instrument(nn.Sequential(nn.Embedding(10, 6)), {})
    [operation] = trace(model, lambda m: m(torch.zeros(1, 4, dtype=torch.int64)))
    assert (operation.kind, operation.macs, operation.outputs, operation.rows) == ("embedding", 0, 24, 4)


def test_calls_of_one_operation_add_up() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(x).sum() + self.head(x[:1]).sum()

    operation = only(Shared(), 5, 3)
    assert operation.macs == (5 + 1) * 3 * 2
    assert operation.rows == 6


@pytest.mark.parametrize("name", [DEIT_T, DEIT_S, DEIT_B, SWIN_T])
def test_full_size_models_against_torchs_counter(name: str) -> None:
    subject = full_size(name)
    with FlopCounterMode(display=False) as counter:
        operations = trace(subject.model, subject.run)
    assert 2 * sum(operation.macs for operation in operations) == counter.get_total_flops()


@pytest.mark.parametrize(("name", "width"), [(DEIT_T, 192), (DEIT_B, 768)])
def test_deit_in_closed_form(name: str, width: int) -> None:
    n, blocks = 197, 12
    macs = {kind: sum(op.macs for op in trace(full_size(name).model, full_size(name).run) if op.kind == kind)
            for kind in ("conv", "linear", "scores", "values")}
    assert macs == {"conv": 196 * 768 * width, "linear": blocks * 12 * width**2 * n + 1000 * width,
                    "scores": blocks * n**2 * width, "values": blocks * n**2 * width}


def test_swin_in_closed_form() -> None:
    operations = trace(full_size(SWIN_T).model, full_size(SWIN_T).run)
    stages = [(2, 96, 56**2), (2, 192, 28**2), (6, 384, 14**2), (2, 768, 7**2)]
    blocks = sum(depth * (12 * width**2 * tokens + 2 * 49 * tokens * width) for depth, width, tokens in stages)
    merging = sum(tokens // 4 * 4 * width * 2 * width for _, width, tokens in stages[:-1])
    assert sum(operation.macs for operation in operations) == blocks + merging + 3136 * 48 * 96 + 768 * 1000


def quantized_linear(enabled: bool) -> Operation:
    model: InstrumentedModel = instrument(nn.Sequential(nn.Linear(4, 4)), {})
    for path, site in model.sites.items():
        model.place(path, Uniform(site.layout.partition("channel"), [2, 3, 4, 5]))
        model.quantizer(path).enabled = enabled
    [operation] = trace(model, lambda m: m(torch.zeros(1, 4)))
    assert all(quantizer.enabled == enabled for quantizer in model.quantizers.values())  # trace leaves it as it was
    return operation


def test_operands_say_how_they_are_quantized() -> None:
    weight, values = quantized_linear(enabled=True).operands
    assert (weight.bits, weight.mean_bits, weight.groups, weight.positions, weight.summed_groups) == (
        (2, 3, 4, 5), 3.5, 4, 4, 1)
    assert (values.granularity, values.groups, values.positions, values.summed_groups) == ("channel", 4, 4, 4)


def test_a_quantizer_that_is_off_is_full_precision() -> None:
    for operand in quantized_linear(enabled=False).operands:
        assert (operand.quantizer, operand.mean_bits, operand.quantized, operand.summed_groups) == (
            "identity", 32, False, 1)


def test_depthwise_convolutions_sum_over_one_channel_only() -> None:
    model = instrument(nn.Sequential(nn.Conv2d(4, 4, 3, groups=4)), {})
    model.place("0.input", Uniform(model.sites["0.input"].layout.partition("channel"), 4))
    [operation] = trace(model, lambda m: m(torch.zeros(1, 4, 5, 5)))
    assert operation.operand("input").groups == 4
    assert operation.operand("input").summed_groups == 1
