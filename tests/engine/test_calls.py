"""Operations that a forward calls several times: every call is observed, and no forward stops too early."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness import Calibration, InstrumentedModel, Uniform, forward_order, instrument
from harness.engine.calls import CallOrders


class Detector(nn.Module):
    """A backbone, a head on each of three levels, and one on each region: as many as the picture says."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.level_head, self.level_out = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 1)
        self.region_head, self.region_out, self.unused = nn.Linear(3, 2), nn.Linear(2, 2), nn.Linear(3, 3)
        self.finished = 0

    def forward(self, x: Tensor) -> None:
        features = self.backbone(x)
        for level in range(3):
            self.level_out(self.level_head(features * level))
        for region in range(int(x[0, 0])):
            self.region_out(self.region_head(features + region))
        self.finished += 1


@dataclass
class Batch:
    inputs: Tensor
    targets: None = None


class Pictures:
    """Picture i has i regions."""

    ids = tuple("0123")

    def batches(self, indices: Sequence[int], size: int) -> Iterator[Batch]:
        for start in range(0, len(indices), size):
            yield Batch(torch.tensor(indices[start:start + size], dtype=torch.float32)[:, None].expand(-1, 3).clone())


def calibration(*indices: int, batch_size: int = 1) -> Calibration:
    return Calibration(Pictures(), list(indices), lambda model, inputs: model(inputs), batch_size)


@pytest.fixture
def model() -> InstrumentedModel:
    return instrument(Detector(), {})


def counting(seen: dict[str, int], *paths: str) -> dict[str, Callable[..., Any]]:
    return {path: lambda *_, path=path: seen.update({path: seen.get(path, 0) + 1}) for path in paths}


@pytest.mark.parametrize("place", ["operations", "sites"])
def test_every_call_is_seen_in_every_pass(model: InstrumentedModel, place: str) -> None:
    given = calibration(1, 3, 0, 2)
    for _ in range(3):
        seen: dict[str, int] = {}
        ends = ".input" if place == "sites" else ""
        given.observe(model, **{place: counting(seen, f"level_head{ends}", f"region_head{ends}")})
        assert seen == {f"level_head{ends}": 4 * 3, f"region_head{ends}": 1 + 3 + 0 + 2}


def test_later_forwards_stop_where_nothing_more_can_come(model: InstrumentedModel) -> None:
    given, detector = calibration(2, 1), model.model
    given.observe(model, operations=counting({}, "backbone"))
    assert detector.finished == 2
    seen: dict[str, int] = {}
    given.observe(model, operations=counting(seen, "backbone", "level_head"))
    assert seen == {"backbone": 2, "level_head": 6}
    assert detector.finished == 2
    calls: list[str] = []
    model.operation("region_head").register_forward_hook(lambda *_: calls.append("region"))
    given.observe(model, operations=counting(seen, "level_out"))
    assert calls == []  # it stopped before the first of them
    given.observe(model, operations=counting(seen, "region_out"))
    assert detector.finished == 4


def test_what_one_batch_shows_is_not_taken_for_another(model: InstrumentedModel) -> None:
    """With one region only, the second layer on regions looks like the end of the first."""
    given = calibration(1, 3)
    seen: dict[str, int] = {}
    given.observe(model, operations=counting(seen, "region_head"), indices=[0])
    given.observe(model, operations=counting(seen, "region_head"), indices=[0])
    assert seen == {"region_head": 2}
    assert model.model.finished == 1
    given.observe(model, operations=counting(seen, "region_head"))
    given.observe(model, operations=counting(seen, "region_head"))
    assert seen == {"region_head": 2 + 2 * (1 + 3)}
    given.observe(model, operations=counting(seen, "region_head"), batch_size=2)
    assert model.model.finished == 1 + 2 + 2 + 1


def test_a_place_that_was_never_reached_stops_nothing(model: InstrumentedModel) -> None:
    given, seen = calibration(0, 0), {}
    for _ in range(2):
        given.observe(model, operations=counting(seen, "backbone", "unused", "region_head"))
    assert seen == {"backbone": 4}
    assert model.model.finished == 4


def test_another_model_is_learned_anew(model: InstrumentedModel) -> None:
    given, other = calibration(1), instrument(Detector(), {})
    for subject in (model, other, model, other):
        given.observe(subject, operations=counting({}, "backbone"))
    assert model.model.finished == other.model.finished == 1


def test_a_failed_forward_teaches_nothing(model: InstrumentedModel) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("observer")

    given, seen = calibration(2), {}
    with pytest.raises(ValueError, match="observer"):
        given.observe(model, operations={"level_head": fail})
    given.observe(model, operations=counting(seen, "level_head"))
    assert seen == {"level_head": 3}
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_calls_on_nothing_are_not_shown_to_observers(model: InstrumentedModel) -> None:
    given = Calibration(Pictures(), [1], lambda model, inputs: model.operation("region_head")(inputs[:0]), 1)
    seen: dict[str, int] = {}
    given.observe(model, operations=counting(seen, "region_head"), sites=counting(seen, "region_head.input"))
    assert seen == {}


def test_the_order_of_calls_asks_further_samples_for_what_the_first_one_misses(model: InstrumentedModel) -> None:
    for path in ("region_head.weight", "level_head.weight", "backbone.weight"):
        model.place(path, Uniform(model.sites[path].layout.partition("tensor"), 4))
    assert forward_order(model, calibration(0, 2)) == [["backbone", "level_head", "region_head"]]


def test_orders_that_differ_are_all_believed() -> None:
    orders, layers = CallOrders(), {name: nn.Identity() for name in "abc"}
    for number, calls in enumerate(("ab", "acb", "a")):
        with orders.recorded(number, layers):
            for name in calls:
                layers[name](0)
    assert orders.after("a") == {"b", "c"}
    assert orders.after("c") == {"b"}
    assert orders.after("b") == set()
    assert orders.after("z") == set()
    assert [orders.knows(number) for number in range(4)] == [True, True, True, False]
