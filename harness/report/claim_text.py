"""How a claim reads: its paper, the numbers of both sides, their difference or quotient, and its interval."""

from __future__ import annotations

from collections.abc import Sequence

from ..registry import Registry
from ..results.claims.judge import Claim, Contrast
from .grid import fixed, signed

_PREFIXES = ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e4, " k"))


def paper_title(source: str, known: Registry) -> str:
    """The paper of a method, as a heading; the name alone of what has none."""
    spec = known.methods.get(source)
    if spec is None or spec.paper is None:
        return source
    return f"{source}: {spec.paper.title} ({spec.paper.venue} {spec.paper.year})"


def measured(claim: Claim, contrast: Contrast) -> str:
    """What was measured: ``94.06 and 82.53: +11.53 [+10.29, +12.78], 3 seeds``, or why nothing was."""
    found = contrast.effect
    if found is None:
        return contrast.reason
    text = f"{_number(claim, found.first)} and {_number(claim, found.second)}: {_effect(claim, found.value)}"
    if found.difference is not None and found.basis != "exact":
        low, high = (_effect(claim, bound) for bound in (found.difference.low, found.difference.high))
        text += f" [{low}, {high}], {found.seeds} seed{'s' if found.seeds > 1 else ''}"
    return f"{text}; {contrast.reason}" if contrast.reason else text


def printed(claim: Claim, bits: str) -> str:
    """The effects that the paper prints at ``bits``; where it prints none there, the first of all."""
    here = [figures for figures in claim.published if figures.bits == bits]
    texts = []
    for figures in here or claim.published[:1]:
        place = ", ".join(part for part in (figures.model, "" if here else figures.bits) if part)
        texts.append(f"{', '.join(_effects(claim, figures.values))}{f' ({place})' if place else ''}")
    return "; ".join(texts)


def _effects(claim: Claim, values: Sequence[float]) -> list[str]:
    return [_effect(claim, values[first] / values[second] if claim.ratio else values[first] - values[second])
            for first, second in claim.pairs]


def _effect(claim: Claim, value: float) -> str:
    if claim.ratio:
        return f"x{value:.3g}"
    if _is_metric(claim):
        return signed(value, 2)
    return f"{'+' if value > 0 else ''}{_number(claim, value)}"


def _number(claim: Claim, value: float) -> str:
    if _is_metric(claim):
        return fixed(value, 2)
    for size, prefix in _PREFIXES:
        if abs(value) >= size:
            return f"{value / (1e3 if prefix == ' k' else size):.4g}{prefix}"
    return f"{value:.4g}"


def _is_metric(claim: Claim) -> bool:
    return claim.quantity in ("", "metrics") or claim.quantity.startswith("metrics.")
