"""One choice a row, of least total penalty within a budget: exact, by an integer linear program."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from ..errors import QuantizationError

#: The solver is content with a sum 1e-6 from the best: penalties are given to it in a unit that makes that negligible.
_LARGEST = 1e5


def least_sum_within(penalties: Sequence[Sequence[float]], costs: Sequence[Sequence[float]], budget: float
                     ) -> list[int]:
    """The index chosen in each row: the least sum of penalties whose costs add up to ``budget`` at most.

    Args:
        penalties: one row of finite numbers for each decision, at least one number a row.
        costs: of the same shape, in any unit.
        budget: in the same unit; kept to 1e-6 of what it leaves above the cheapest choices (the solver's tolerance).

    Returns:
        One index a row. Branch and bound (HiGHS): no other choice within the budget has a smaller sum, to 1e-11 of the
        widest spread of a row's penalties.

    Raises :class:`harness.QuantizationError` for a budget below the cheapest choices.
    """
    least = sum(min(row) for row in costs)
    if budget < least:
        raise QuantizationError(f"a budget of {budget:.6g} cannot be met: the cheapest choice costs {least:.6g}",
                                "Allow a larger budget, or smaller bit-widths (candidates)")
    spare = budget - least
    # Costs above each row's cheapest, in units of what the budget leaves: well scaled for the solver.
    items = [(row, index, penalties[row][index], (cost - min(costs[row])) / (spare or 1.0))
             for row in range(len(costs)) for index, cost in enumerate(costs[row])
             if _is_efficient(penalties[row], costs[row], index) and cost - min(costs[row]) <= spare]
    rows, indices, values, extra = (np.array(column) for column in zip(*items, strict=True))
    one_each = (np.arange(len(costs))[:, None] == rows).astype(float)
    regrets = values - np.array([min(row) for row in penalties])[rows]
    unit = max(regrets.max() / _LARGEST, np.finfo(float).tiny)
    solution = milp(regrets / unit, integrality=np.ones(len(items)), bounds=Bounds(0, 1), options={"mip_rel_gap": 0.0},
                    constraints=[LinearConstraint(one_each, 1.0, 1.0), LinearConstraint(extra[None], -np.inf, 1.0)])
    if solution.x is None:
        raise QuantizationError(f"the solver found no choice: {solution.message}", "Allow a larger budget")
    taken = solution.x > 0.5
    return [int(indices[taken & (rows == row)][0]) for row in range(len(costs))]


def _is_efficient(penalties: Sequence[float], costs: Sequence[float], index: int) -> bool:
    """Whether no other choice of the row is at least as good in both; of equals the first stays."""
    own = (penalties[index], costs[index])
    return not any(other <= own[0] and cost <= own[1] and ((other, cost) != own or place < index)
                   for place, (other, cost) in enumerate(zip(penalties, costs, strict=True)) if place != index)
