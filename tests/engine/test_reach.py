"""Operations that calibration does not reach stay in full precision, for every method alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from harness import Calibration, Identity, InstrumentedModel, Partition, Uniform, instrument
from harness.engine.reach import drop_unreached


@dataclass
class Batch:
    inputs: Tensor
    targets: None = None


class Numbers:
    ids = ("0", "1", "2", "3", "4", "5")

    def batches(self, indices: Sequence[int], size: int) -> Iterator[Batch]:
        for start in range(0, len(indices), size):
            yield Batch(torch.tensor([float(index) for index in indices[start:start + size]])[:, None])


class Detector(nn.Module):
    """Like a detector: its second layer works on the rows that pass a test, which may be none."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.spare = nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 1)
        self.forwards = 0

    def forward(self, x: Tensor) -> Tensor:
        self.forwards += 1
        self.second(x[x[:, 0] > 3])
        return self.first(x)


@pytest.fixture
def model() -> InstrumentedModel:
    model = instrument(Detector(), {})
    for path in model.sites:
        model.place(path, Uniform(Partition.tensor(), 4, "asymmetric"))
    return model


def calibration(indices: list[int], size: int = 2) -> Calibration:
    return Calibration(Numbers(), indices, lambda model, inputs: model(inputs), size)


@pytest.mark.parametrize(("indices", "expected", "forwards"), [
    ([0, 1, 2, 3], ["second", "spare"], 2),  # called without rows is not reached
    ([0, 1, 2, 4], ["spare"], 2),
])
def test_quantizers_of_unreached_operations_are_taken_off(model: InstrumentedModel, indices: list[int],
                                                          expected: list[str], forwards: int) -> None:
    assert drop_unreached(model, calibration(indices)) == expected
    identities = {site.operation for path, site in model.sites.items() if isinstance(model.quantizer(path), Identity)}
    assert identities == set(expected)
    assert model.model.forwards == forwards


def test_it_looks_no_further_than_needed_and_only_where_something_is_quantized(model: InstrumentedModel) -> None:
    for path, site in model.sites.items():
        if site.operation != "first":
            model.place(path, Identity())
    assert drop_unreached(model, calibration([0, 1, 2, 3, 4, 5])) == []
    assert model.model.forwards == 1
    assert all(quantizer.enabled for quantizer in model.quantizers.values())
