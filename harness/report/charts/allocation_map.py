"""Where a record's bit-widths lie: its coverage as cells of a map. Light: no Altair."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Columns of what lies in no block: before the first one, and after.
STEM, END = "stem", "end"


@dataclass(frozen=True)
class Cell:
    """The ``bits`` of one head (``None``: of all) of a site, in a ``row`` (what is quantized) and a ``column`` (block).

    ``start`` and ``end``: the part of the column's width that is its own, between 0 and 1.
    """

    row: str
    column: str
    start: float
    end: float
    bits: int
    head: int | None
    site: str


def cells(quantized: Sequence[Mapping[str, Any]]) -> list[Cell]:
    """The cells of a coverage's ``quantized``, in its order; sites of the same row and column stand side by side."""
    parts = any(_parts(entry) > 1 for entry in quantized)
    places: dict[tuple[str, str], list[tuple[Mapping[str, Any], list[int]]]] = defaultdict(list)
    inside = False
    for entry in quantized:
        inside = inside or entry.get("block") is not None
        column = str(entry["block"]) if entry.get("block") is not None else END if inside else STEM
        for row, bits in _rows(entry, parts):
            places[row, column].append((entry, bits))
    made = []
    for (row, column), entries in places.items():
        for number, (entry, bits) in enumerate(entries):
            for slot, width in enumerate(bits):
                share = 1 / (len(entries) * len(bits))
                start = number / len(entries) + slot * share
                made.append(Cell(row, column, start, start + share, width, slot if len(bits) > 1 else None,
                                 entry["site"]))
    return made


def columns(made: Sequence[Cell]) -> list[str]:
    """The columns from left to right."""
    blocks = {cell.column for cell in made} - {STEM, END}
    order = [STEM, *sorted(blocks, key=int), END]
    return [column for column in order if any(cell.column == column for cell in made)]


def is_mixed(made: Sequence[Cell]) -> bool:
    """Whether some row has several bit-widths within the blocks: somebody chose them, by layer or by head."""
    widths: dict[str, set[int]] = defaultdict(set)
    for cell in made:
        if cell.column not in (STEM, END):
            widths[cell.row].add(cell.bits)
    return any(len(bits) > 1 for bits in widths.values())


def _rows(entry: Mapping[str, Any], parts: bool) -> list[tuple[str, list[int]]]:
    """The rows that a site fills, with its bits by head: three for a fused projection in q, k and v where ``parts``."""
    operand = entry["site"].rpartition(".")[2]
    bits = entry["bits"] if isinstance(entry["bits"], list) else [entry["bits"]]
    if parts and entry["role"] == "qkv" and operand == "weight":
        count = _parts(entry)
        size = len(bits) // count
        return [(f"{name} weight", bits[size * part:size * (part + 1)] if count > 1 else bits)
                for part, name in enumerate("qkv")]
    return [(f"{entry['role']} {operand}" if operand in ("weight", "input") else entry["role"], bits)]


def _parts(entry: Mapping[str, Any]) -> int:
    """Into how many modules a site's list of bits is divided."""
    modules = entry["role"] == "qkv" and entry["granularity"] in ("module", "module_head")
    return 3 if modules and isinstance(entry["bits"], list) else 1
