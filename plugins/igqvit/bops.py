"""Bit-operations of a grouped layer: what the budget of Eq. (10) counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness import Context, Operation, trace

from .quantizer import InstanceGroups

FLOAT_BITS = 32
DISTANCE_OPERATIONS = 5  # two subtractions, two squares, one sum


def layer_bops(operation: Operation, operand: str, groups: int, points: float) -> float:
    """BOPs of one operation for one sample, whose ``operand`` has ``groups`` instance-aware groups.

    The product itself (MACs x bits x bits); the maxima and minima of the operand, ``2 N C 32``; the distances,
    ``C g 5 32`` with C the channels or rows of a sample (``points``); and, where channels are grouped, the sum
    of the groups' outputs, ``(g - 1) N D 32``. Rows are not reduced over and need no such sum.
    """
    grouped = operation.operand(operand)
    product = float(operation.macs)
    for each in operation.operands:
        product *= each.mean_bits
    ranges = 2 * grouped.elements * FLOAT_BITS
    distances = points * groups * DISTANCE_OPERATIONS * FLOAT_BITS
    sums = 0 if operand == "attention" else (groups - 1) * operation.outputs * FLOAT_BITS
    return product + ranges + distances + sums


def group_bops(context: Context, quantizers: Mapping[str, InstanceGroups], points: Mapping[str, float],
               choices: Sequence[int]) -> dict[str, dict[int, float]]:
    """Site -> number of groups -> BOPs, traced from one calibration sample."""
    model = context.model
    operations = {operation.path: operation for operation in trace(
        model, lambda traced: list(context.calibration.responses(traced, indices=[0])))}
    return {path: {groups: layer_bops(operations[model.sites[path].operation], model.sites[path].operand,
                                      groups, points[path]) for groups in choices} for path in quantizers}
