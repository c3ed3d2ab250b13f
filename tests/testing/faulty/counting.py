"""A sound suite of tasks, a sound cost convention, and such that are broken in one way each."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from typing import Any

from harness import CostSpec, Operation, SuiteSpec

from . import Fault, Kind, NoOptions
from .any_component import FAULTS

COLUMNS, AVERAGES = "test_its_columns_are_metrics_of_known_tasks", "test_its_averages_are_of_its_columns"

SUITE = Kind(
    SuiteSpec(name="planted", summary="sound", columns=("imagenet.top1",), averages={"mean": ("imagenet.top1",)},
              options=NoOptions),
    (*FAULTS,
     Fault("no columns", COLUMNS, "no columns", {"columns": ()}),
     Fault("an unknown task", COLUMNS, "there is no task 'imagenett'", {"columns": ("imagenett.top1",)}),
     Fault("no metric", COLUMNS, "names no metric", {"columns": ("imagenet",)}),
     Fault("an average of others", AVERAGES, "mean averages imagenet.top5", {"averages": {"mean": ("imagenet.top5",)}}),
     Fault("an average of nothing", AVERAGES, "mean averages nothing", {"averages": {"mean": ()}})))


def sound(operations: Sequence[Operation]) -> float:
    return sum(operation.macs * operation.operands[0].mean_bits for operation in operations)


def infinite(operations: Sequence[Operation]) -> float:
    return float("inf")


DRAWN = itertools.count()


def drawn(operations: Sequence[Operation]) -> float:
    return sound(operations) + next(DRAWN)


def crashes(operations: Sequence[Operation]) -> float:
    raise ZeroDivisionError("no number")


def endless(operations: Sequence[Operation]) -> float:
    while True:
        time.sleep(0.01)


def upside_down(operations: Sequence[Operation]) -> float:
    return 1 / sound(operations)


def cost(name: str, law: str, says: str) -> Fault:
    return Fault(name, law, says, {"factory": f"faulty.counting:{name}"})


SOUND_COST: dict[str, Any] = {"name": "planted", "summary": "sound", "factory": "faulty.counting:sound"}

COST = Kind(
    CostSpec(**SOUND_COST, options=NoOptions),
    (*FAULTS,
     cost("infinite", "test_it_is_a_number", "it is inf"),
     cost("drawn", "test_it_is_a_function_of_the_operations", "counted twice"),
     cost("upside_down", "test_fewer_bits_cost_no_more", "4 bits cost")))
