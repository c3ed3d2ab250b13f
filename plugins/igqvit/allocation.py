"""How many groups each layer gets under a BOP budget: Eq. (10), exactly or greedily."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from harness import QuantizationError

Table = Mapping[str, Mapping[int, float]]
"""Layer -> number of groups -> a value."""


def solve_ilp(perturbation: Table, bops: Table, budget: float) -> dict[str, int]:
    """Eq. (10): the numbers of groups with the least sum of perturbations whose BOPs fit the budget.

    Exact (branch and bound, HiGHS). Raises :class:`harness.QuantizationError` for a budget below the least
    that any choice costs.
    """
    spare = _spare(bops, budget)
    layers = list(perturbation)
    choices = [(layer, groups) for layer in layers for groups in perturbation[layer]]
    objective = np.array([perturbation[layer][groups] for layer, groups in choices], dtype=float)
    # Costs above each layer's cheapest choice, in units of what the budget leaves: well scaled for the solver.
    extra = np.array([bops[layer][groups] - min(bops[layer].values()) for layer, groups in choices], dtype=float)
    one_each = np.array([[float(layer == name) for layer, _ in choices] for name in layers])
    allowed = Bounds(np.zeros(len(choices)), (extra <= spare).astype(float))
    solution = milp(objective, integrality=np.ones(len(choices)), bounds=allowed, options={"mip_rel_gap": 0.0},
                    constraints=[LinearConstraint(one_each, 1.0, 1.0),
                                 LinearConstraint(extra[None] / (spare or 1.0), -np.inf, 1.0)])
    if solution.x is None:
        raise QuantizationError(f"the solver could not allocate groups: {solution.message}",
                                "Use alloc=greedy or alloc=uniform")
    return {layer: groups for (layer, groups), taken in zip(choices, solution.x, strict=True) if taken > 0.5}


def solve_greedily(perturbation: Table, bops: Table, budget: float) -> dict[str, int]:
    """From the cheapest choice of every layer, upgrade where a BOP buys most, while the budget lasts.

    Raises :class:`harness.QuantizationError` like :func:`solve_ilp`.
    """
    spare = _spare(bops, budget)
    chosen = {layer: min(costs, key=lambda groups: costs[groups]) for layer, costs in bops.items()}
    while True:
        best, gain_per_bop, price = None, 0.0, 0.0
        for layer, now in chosen.items():
            for groups, value in perturbation[layer].items():
                cost = bops[layer][groups] - bops[layer][now]
                gain = perturbation[layer][now] - value
                if 0 < cost <= spare and gain / cost > gain_per_bop:
                    best, gain_per_bop, price = (layer, groups), gain / cost, cost
        if best is None:
            return chosen
        chosen[best[0]] = best[1]
        spare -= price


def _spare(bops: Table, budget: float) -> float:
    least = sum(min(costs.values()) for costs in bops.values())
    if budget < least:
        raise QuantizationError(
            f"a budget of {budget:.6g} BOPs cannot be met: the cheapest allocation needs {least:.6g}",
            "Allow fewer groups (groups_set), or raise the average number of groups (g)")
    return budget - least
