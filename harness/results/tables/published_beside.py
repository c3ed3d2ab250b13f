"""Which published figures belong beside a measured one: of the same model, method, bits and metric."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..published import PublishedRow


class PublishedBeside:
    """The figures of one task, found by what was measured."""

    def __init__(self, rows: Iterable[PublishedRow]) -> None:
        self._found: dict[tuple[str, str, str, str], list[PublishedRow]] = {}
        for row in sorted(rows, key=published_order):
            if row.value is not None:
                self._found.setdefault((row.model, row.method, row.nominal_bits, row.metric), []).append(row)

    def of(self, model: str, method: str, ablation: str, bits: str, metric: str) -> tuple[PublishedRow, ...]:
        """The figures of a method, or of an ablation of it. Those for mixed precision of 6 bits stand beside 6/6."""
        name = f"{method}:{ablation}" if ablation else method
        return tuple(self._found.get((model, name, bits, metric), ()))


def published_order(row: PublishedRow) -> tuple[str, ...]:
    """Sort key of published figures: those of one line of a paper's table stay together."""
    bits = re.sub(r"\d+", lambda number: number.group().zfill(4), row.bits)
    return row.dataset, row.method, bits, row.source, row.table, row.protocol, row.metric, row.column
