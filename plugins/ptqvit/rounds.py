"""The rounds of the alternating search for one operation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from .operand import Operand
from .options import AlternatingOptions
from .race import race
from .similarity import Measure, Sums, losses

#: A loss >= 0 besides the similarity, of the factors of the two operands in their order.
Extra = Callable[[float, float], float]


class Problem(Protocol):
    """An operation with two operands, its bias (m,), and measures of candidates of either operand."""

    @property
    def operands(self) -> Mapping[str, Operand]: ...

    @property
    def bias(self) -> Tensor: ...

    @property
    def has_bias(self) -> bool: ...

    def blocks(self, searched: str, held: float) -> Iterator[Measure]:
        """Blocks of the calibration set; each measures candidates with the other operand at ``held``."""
        ...


@dataclass(frozen=True)
class State:
    """Where a search ended.

    ``factors`` of the operands' full-range scales; ``shift`` (m,): what to add to the bias; ``objective``:
    of eq. 11, after bias correction; ``steps``: the objective after each search, up to that round.
    """

    factors: dict[str, float]
    shift: Tensor
    objective: float
    steps: tuple[float, ...]


def alternate(problem: Problem, options: AlternatingOptions, extra: Extra | None = None) -> State:
    """Search the operands in turn, then correct the bias, for as long as a round gains something.

    At least one operand must be searched. The state of the best round is returned; the first stands
    for comparison.
    """
    rounds = _Rounds(problem, options, extra)
    best = rounds.next()
    for _ in range(options.iterations - 1):
        state = rounds.next()
        if state.objective >= best.objective - options.tolerance:
            break
        best = state
    return best


class _Rounds:
    def __init__(self, problem: Problem, options: AlternatingOptions, extra: Extra | None) -> None:
        self.problem, self.options, self.extra = problem, options, extra
        grid = torch.linspace(options.alpha, options.beta, options.candidates, dtype=torch.float64).tolist()
        self.grid = [1.0] if options.similarity == "off" and extra is None else grid
        self.names = list(problem.operands)
        self.factors = dict.fromkeys(self.names, 1.0)
        self.shift = torch.zeros_like(problem.bias)
        self.steps: list[float] = []
        # (operand, held factor) -> candidates measured, their sums, and the shift under which.
        self._known: dict[tuple[str, float], tuple[list[int], Sums, Tensor]] = {}

    def next(self) -> State:
        """One more round."""
        for name in self.names:
            if self.problem.operands[name].searched:
                sums, chosen, similar, objective = self._search(name)
                self.steps.append(objective)
        if self.options.bias_correction and self.problem.has_bias:
            # e is counted without what was added before, so this is the whole correction (eq. 15).
            self.shift = -sums.e[chosen] / sums.rows
            objective += self._losses(sums)[chosen].item() - similar
        return State(dict(self.factors), self.shift, objective, tuple(self.steps))

    def _search(self, name: str) -> tuple[Sums, int, float, float]:
        """Sums of an operand's candidates, which was chosen, its ``-Gamma`` and its objective."""
        running, sums = self._measured(name)
        similar = self._losses(sums).tolist()
        chosen, objective = choose(similar, [self.grid[index] for index in running],
                                   lambda position: self._extra(name, running[position]))
        self.factors[name] = self.grid[running[chosen]]
        return sums, chosen, similar[chosen], objective

    def _measured(self, name: str) -> tuple[list[int], Sums]:
        """Never twice for the same held scale; where candidates were dropped: and the same bias."""
        held = self.factors[self.names[1 - self.names.index(name)]]
        if (name, held) in self._known:
            running, sums, shift = self._known[name, held]
            if len(running) == len(self.grid) or torch.equal(shift, self.shift):
                return running, sums
        running, sums = race(self.problem.blocks(name, held), self.grid, self._losses,
                             lambda index: self._extra(name, index), self.options.race)
        self._known[name, held] = running, sums, self.shift
        return running, sums

    def _losses(self, sums: Sums) -> Tensor:
        return losses(sums, self.options.similarity, self.problem.bias, self.shift)

    def _extra(self, name: str, index: int) -> float:
        if self.extra is None:
            return 0.0
        first, second = ({**self.factors, name: self.grid[index]}[key] for key in self.names)
        return self.extra(first, second)


def choose(similar: Sequence[float], grid: Sequence[float], extra: Callable[[int], float]) -> tuple[int, float]:
    """Index and value of the smallest ``similar + extra``; ties go to the factor nearest to 1.

    ``extra >= 0`` is asked for only as long as it can matter, in the order of ``similar``.
    """
    best, chosen = float("inf"), 0
    for index in sorted(range(len(grid)), key=lambda i: (similar[i], abs(grid[i] - 1))):
        if similar[index] > best:
            break
        value = similar[index] + extra(index)
        if value < best or (value == best and abs(grid[index] - 1) < abs(grid[chosen] - 1)):
            best, chosen = value, index
    return chosen, best
