"""From the agent's actions to bits within the budget."""

from __future__ import annotations

from collections.abc import Sequence

from harness import BitSpace


def bits_of(action: float, candidates: Sequence[int]) -> int:
    """``round(a (b_max - b_min + 1) + b_min - 1/2)``, clamped to the candidates (ascending).

    Where these are not consecutive, their places take the role of the bits.
    """
    least = candidates[0]
    place = round(action * len(candidates) + least - 0.5) - least
    return candidates[min(max(place, 0), len(candidates) - 1)]


def lowered(space: BitSpace, allocation: dict[str, int]) -> dict[str, int]:
    """``allocation`` within the budget: one candidate less, site after site from the last to the first, until it fits.

    Raises :class:`harness.QuantizationError` where no bits are few enough.
    """
    limit, bits = space.limit(), dict(allocation)
    while space.total(bits) > limit:
        for path in reversed(space.sites):
            bits[path] = space.candidates[max(0, space.candidates.index(bits[path]) - 1)]
            if space.total(bits) <= limit:
                break
    return bits
