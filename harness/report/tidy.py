"""A task's table with one line a number: everything measured and everything printed, for other programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict

from ..results.published import PublishedRow
from ..results.tables.cells import Cell
from ..results.tables.table import Section, Table
from .grid import Column, Grid, Line, Value
from .published import caveat, where

NAMES = ("kind", "task", "scale", "model", "dataset", "fingerprint", "weights_hash", "evaluation_limit",
         "calibration_size", "method", "bits", "metric", "value", "sd", "seeds", "failed_seeds", "drop", "rank",
         "difference", "difference_low", "difference_high", "compared_with", "bops", "size_bytes", "seconds",
         "peak_memory_bytes", "simulated_samples_per_second", "gate", "source", "note")


def tidy_grid(table: Table) -> Grid:
    """A line a cell, one a further metric of it, one a published figure; numbers in full."""
    return Grid(tuple(Column(name, name) for name in NAMES),
                tuple(tuple(_line(values) for values in _values(section)) for section in table.sections))


def _line(values: Mapping[str, Value]) -> Line:
    return tuple([values.get(name) for name in NAMES])


def _values(section: Section) -> Iterator[Mapping[str, Value]]:
    scope: dict[str, Value] = {"kind": "measured", **asdict(section.scope), "metric": section.metric,
                               "gate": section.gate.gate if section.gate else None}
    cells = [("full_precision", section.reference)] if section.reference else []
    cells += [(row.label, row.cells[bits]) for row in section.rows for bits in section.bits if bits in row.cells]
    for label, cell in cells:
        yield {**scope, "method": label, **_cell(cell)}
        for name, value in cell.beside.items():
            yield {**scope, "method": label, "bits": cell.bits, "metric": name, "value": value,
                   "seeds": _joined(cell.seeds)}
    yield from map(_published, section.published)


def _cell(cell: Cell) -> dict[str, Value]:
    found = cell.difference
    interval: tuple[Value, Value, Value] = (found.value, found.low, found.high) if found else (None, None, None)
    return {"bits": cell.bits, "value": cell.value, "sd": cell.sd, "seeds": _joined(cell.seeds),
            "failed_seeds": _joined(cell.failed), "drop": cell.drop, "rank": cell.rank,
            "difference": interval[0], "difference_low": interval[1], "difference_high": interval[2],
            "compared_with": cell.compared_with, "bops": cell.bops,
            "size_bytes": cell.size, "seconds": cell.seconds, "peak_memory_bytes": cell.memory,
            "simulated_samples_per_second": cell.speed}


def _joined(seeds: tuple[int, ...]) -> str:
    return " ".join(map(str, seeds))


def _published(figure: PublishedRow) -> dict[str, Value]:
    return {"kind": "published", "task": figure.task, "model": figure.model, "dataset": figure.dataset,
            "method": figure.method, "bits": figure.bits, "metric": figure.metric, "value": figure.value,
            "source": where(figure), "note": caveat(figure)}
