"""Exact choice of bits: least total sensitivity within a size, over the Pareto front of partial choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness import QuantizationError


def allocate(parameters: Sequence[int], sensitivity: Sequence[Mapping[int, float]], target: int) -> list[int]:
    """Bits of each module, minimising ``sum Omega_i(b_i)`` subject to ``sum n_i b_i <= target * sum n_i``.

    Dynamic programming over modules: of all choices for the first modules only those are kept that no other
    beats in both size and sensitivity, so the result is exact. Equal sensitivities: the smaller size.
    ``parameters``: ``n_i`` > 0. ``sensitivity``: bits -> ``Omega_i``. Raises :class:`harness.QuantizationError`
    where even the fewest bits exceed the size.
    """
    budget = target * sum(parameters)
    rest = [0] * (len(parameters) + 1)  # least size of the modules from i on
    for i in reversed(range(len(parameters))):
        rest[i] = rest[i + 1] + parameters[i] * min(sensitivity[i])
    if rest[0] > budget:
        raise QuantizationError(f"no choice of bits keeps the mean at or below {target}",
                                "Add smaller bit-widths to allocation.candidates")
    front: list[tuple[int, float, tuple[int, ...]]] = [(0, 0.0, ())]
    for i, (count, omega) in enumerate(zip(parameters, sensitivity, strict=True)):
        grown = [(size + count * bits, total + cost, (*chosen, bits)) for size, total, chosen in front
                 for bits, cost in omega.items() if size + count * bits + rest[i + 1] <= budget]
        front = []
        for state in sorted(grown):
            if not front or state[1] < front[-1][1]:
                front.append(state)
    return list(front[-1][2])
