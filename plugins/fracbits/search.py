"""The search ``fracbits``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import AllocationSearch, BitSpace, Context, Quantizer, Site, train_supernet

from .mixture import CostDistance, FractionalBits
from .options import FracBitsOptions

_BISECTIONS = 40


class FracBitsSearch(AllocationSearch[FracBitsOptions]):
    """Yang and Jin 2021: every site has a real bit-width, interpolated between two quantizers; after training all are
    shifted alike, by as much as the budget allows, and rounded.
    """

    name = "fracbits"

    def choose(self, context: Context, space: BitSpace) -> tuple[dict[str, int], dict[str, Any]]:
        """Raises :class:`harness.QuantizationError` for quantizers that no supernet can train."""
        def mixture(site: Site, quantizers: Mapping[int, Quantizer]) -> FractionalBits:
            run_bits = context.bits.weights if site.is_weight else context.bits.activations
            return FractionalBits(quantizers, run_bits + self.options.start)

        mixtures, training = train_supernet(
            space, mixture, self.options, CostDistance(space, self.options.kappa), self.name)
        real = {path: found.mean_bits for path, found in mixtures.items()}
        chosen, offset = harden(space, real)
        return chosen, {"real_bops": round(space.total(real) / space.total({}), 4), "offset": round(offset, 4),
                        "training": training}


def harden(space: BitSpace, real: Mapping[str, float]) -> tuple[dict[str, int], float]:
    """Real bits + offset, rounded to the nearest candidate (of two, the smaller), with the largest offset whose cost
    is within the budget, by bisection; and the offset.

    Raises :class:`harness.QuantizationError` where no bits are few enough.
    """
    limit = space.limit()

    def rounded(offset: float) -> dict[str, int]:
        return {path: min(space.candidates, key=lambda candidate: abs(candidate - bits - offset))
                for path, bits in real.items()}

    span = float(space.candidates[-1] - space.candidates[0]) + 1.0  # moves every site to either end
    low, high = -span, span
    if space.total(rounded(high)) <= limit:
        return rounded(high), high
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if space.total(rounded(middle)) <= limit else (low, middle)
    return rounded(low), low
