"""A grid as comma-separated values, numbers in full."""

from __future__ import annotations

import csv
import io

from .grid import Grid


def to_csv(grid: Grid) -> str:
    """A line of column names, then the lines of every group; empty where nothing is known."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([column.name for column in grid.columns])
    for group in grid.groups:
        writer.writerows(group)
    return stream.getvalue()
