"""Axes whose ends and ticks are chosen here, so that labels can be placed in pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Axis:
    """Domain from ``low`` to ``high``, logarithmic where ``log``, with its ticks."""

    low: float
    high: float
    log: bool
    ticks: tuple[float, ...]

    def scale(self) -> Any:
        """The Altair scale."""
        import altair as alt

        return alt.Scale(type="log" if self.log else "linear", domain=[self.low, self.high], nice=False, zero=False)

    def pixel(self, value: float, length: float) -> float:
        """Distance of ``value`` from the low end of an axis of ``length`` pixels."""
        if self.log:
            return length * math.log(value / self.low) / math.log(self.high / self.low)
        return length * (value - self.low) / (self.high - self.low)


def logarithmic(values: Sequence[float]) -> Axis:
    """An axis for positive ``values``, with room at both ends and ticks at 1, 2 and 5 times powers of ten."""
    margin = max((max(values) / min(values)) ** 0.07, 1.15)
    low, high = _short(min(values) / margin), _short(max(values) * margin)
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
    ratio = high / low
    steps = (1, 1.5, 2, 3, 4, 5, 6, 8) if ratio < 12 else (1, 2, 5) if ratio < 200 else (1,)
    ticks = [float(f"{step}e{power}") if step != 1.5 else float(f"15e{power - 1}")
             for power in powers for step in steps]
    return Axis(low, high, True, tuple(tick for tick in ticks if low <= tick <= high))


def linear(values: Sequence[float]) -> Axis:
    """An axis for ``values``, with room at both ends."""
    span = max(values) - min(values) or max(abs(values[0]) * 0.1, 1.0)
    return Axis(_short(min(values) - 0.06 * span), _short(max(values) + 0.08 * span), False, ())


def _short(value: float) -> float:
    """``value`` in five digits: the same on every machine."""
    return float(f"{value:.5g}")
