"""Columns that a reader may choose besides those of the table: further metrics, other conventions of counting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ...results.entry import Measured
from ...results.tables.table import Section
from .board import Column


@dataclass(frozen=True)
class Amount:
    """A column, and what it shows of one record; a row shows the mean over seeds. ``digits``: decimals."""

    column: Column
    digits: int
    of: Callable[[Measured], float | None]


def amounts(section: Section, members: Sequence[Measured]) -> Iterator[Amount]:
    """What at least one record of the section knows and its table does not show."""
    costs = [cost for cost in (record.costs for record in members) if cost]
    for name in _names((record.metrics for record in members), {section.metric, *section.beside}):
        yield Amount(Column(f"metric-{name}", name, "number", "asked", "Mean over seeds", "high"), 2, _metric(name))
    for name in _names((cost.bops for cost in costs), {section.convention}):
        yield Amount(Column(f"bops-{name}", f"BOPs, {name} (G)", "number", "asked",
                            f"Bit-operations of one sample, by the convention {name}"), 3, _cost("bops", name, 1e9))
    for name in _names((cost.sizes for cost in costs), {section.convention}):
        yield Amount(Column(f"size-{name}", f"size, {name} (MB)", "number", "asked",
                            f"Of the quantized model, by the convention {name}"), 2, _cost("sizes", name, 1e6))


def _names(mappings: Iterable[Iterable[str]], shown: set[str]) -> list[str]:
    return sorted({name for mapping in mappings for name in mapping} - shown)


def _metric(name: str) -> Callable[[Measured], float | None]:
    return lambda record: record.metrics.get(name)


def _cost(kind: str, name: str, unit: float) -> Callable[[Measured], float | None]:
    def amount(record: Measured) -> float | None:
        found = None if record.costs is None else getattr(record.costs, kind).get(name)
        return None if found is None else found / unit
    return amount
