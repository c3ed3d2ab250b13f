"""Calibration streams: order, batches, observers, early stops."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness import Calibration, InstrumentedModel, Partition, QuantizationError, Uniform, instrument
from harness.engine.calibration import to_device


@dataclass
class Batch:
    inputs: Tensor
    targets: None = None


class Numbers:
    """Sample i is a vector full of i."""

    def __init__(self, size: int) -> None:
        self.ids = [f"n{index}" for index in range(size)]

    def batches(self, indices: Sequence[int], size: int) -> Iterator[Batch]:
        for start in range(0, len(indices), size):
            yield Batch(torch.tensor(indices[start:start + size], dtype=torch.float32)[:, None].expand(-1, 3).clone())


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 2)
        self.finished = 0

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(self.first(x))
        self.finished += 1
        return y


@pytest.fixture
def model() -> InstrumentedModel:
    return instrument(Counting(), {})


def _calibration(indices: Sequence[int] = (4, 2, 9, 0, 7), batch_size: int = 2) -> Calibration:
    return Calibration(Numbers(10), list(indices), lambda model, inputs: model(inputs), batch_size)


def _firsts(batches: Iterator[Tensor]) -> list[list[float]]:
    return [batch[:, 0].tolist() for batch in batches]


def test_samples_come_in_the_order_drawn() -> None:
    calibration = _calibration()
    assert len(calibration) == 5
    assert calibration.ids == ["n4", "n2", "n9", "n0", "n7"]
    assert _firsts(calibration.batches()) == [[4, 2], [9, 0], [7]]
    assert _firsts(calibration.batches(size=4)) == [[4, 2, 9, 0], [7]]
    assert _firsts(calibration.batches(indices=[3, 0])) == [[0, 4]]


def test_observers_see_what_reaches_their_place_before_it_is_quantized(model: InstrumentedModel) -> None:
    coarse = Uniform(Partition.tensor(), 2, "symmetric")
    model.place("first.input", coarse)
    seen: list[Tensor] = []
    pairs: list[Tensor] = []
    _calibration().observe(model, sites={"first.input": seen.append}, operations={"second": pairs.append})
    assert torch.cat(seen)[:, 0].tolist() == [4, 2, 9, 0, 7]
    expected = model.operation("first")(torch.tensor([[4.0] * 3, [2.0] * 3]))
    assert torch.equal(pairs[0], expected)
    assert not pairs[0].requires_grad
    assert coarse(torch.tensor(9.0)) == 1  # the quantizer was in use all the time


def test_the_forward_stops_when_everything_was_seen(model: InstrumentedModel) -> None:
    calibration, seen = _calibration(), []
    calibration.observe(model, sites={"first.input": seen.append})
    assert model.model.finished == 3  # the first pass over the batches shows what is called when
    calibration.observe(model, sites={"first.input": seen.append})
    assert model.model.finished == 3
    assert torch.equal(torch.cat(seen[:3]), torch.cat(seen[3:]))
    calibration.observe(model, operations={"second": lambda tensor: None})
    assert model.model.finished == 6  # nothing comes after it


def test_weights_can_be_observed_too(model: InstrumentedModel) -> None:
    seen: list[Tensor] = []
    _calibration().observe(model, sites={"second.weight": seen.append}, indices=[1], batch_size=8)
    assert len(seen) == 1
    assert torch.equal(seen[0], model.operation("second").weight)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_is_an_error_that_names_the_place(model: InstrumentedModel, bad: float) -> None:
    with torch.no_grad():
        model.operation("first").weight[0, 0] = bad
    with pytest.raises(QuantizationError, match=r"calibration data at 'second\.input'"):
        _calibration().observe(model, sites={"second.input": lambda tensor: None})


def test_no_hooks_stay_behind(model: InstrumentedModel) -> None:
    def fail(tensor: Tensor) -> None:
        raise ValueError("observer")

    with pytest.raises(ValueError, match="observer"):
        _calibration().observe(model, sites={"first.input": fail}, operations={"second": fail})
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_inputs_of_any_form_reach_the_device() -> None:
    given: dict[str, Any] = {"ids": torch.ones(2), "nested": {"mask": torch.zeros(1)}, "text": "a"}
    moved = to_device(given, torch.device("meta"))
    assert moved["ids"].device.type == moved["nested"]["mask"].device.type == "meta"
    assert moved["text"] == "a"
