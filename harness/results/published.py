"""Figures that papers print, as the plugins and tasks bring them: data files beside the code."""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import dataclass, fields

from ..errors import DataError

#: What can be wrong with a cell: unreadable or repaired in the copy at hand; contradicted elsewhere in the paper;
#: not available to us. The reason stands in the note.
FLAGS = ("damaged", "inconsistent", "missing")

_BITS = re.compile(r"(\d+(MP)?/\d+(MP)?(/\d+)?)?")


@dataclass(frozen=True)
class PublishedRow:
    """One number of a paper.

    ``method``: as the rows of tables are called (``qvit:uniform``), or a name of its own where the harness has no such
    method. ``bits``: weights/activations[/embeddings], such as ``4/4``, ``6MP/6MP`` (mixed precision of that average)
    or ``1/1/1``; empty where the paper does not say. ``value`` is ``None`` where there is no legible number.
    ``source``: the paper that prints it. ``table`` and ``column``: where in it. ``protocol``: how it was measured.
    ``flags``: of :data:`FLAGS`, with the reason in ``note``.
    """

    task: str
    dataset: str
    model: str
    method: str
    bits: str
    metric: str
    value: float | None
    source: str
    table: str
    column: str = ""
    protocol: str = ""
    flags: tuple[str, ...] = ()
    note: str = ""

    @property
    def nominal_bits(self) -> str:
        """The bits that a run would be asked for: ``6/6`` for ``6MP/6MP``."""
        return self.bits.replace("MP", "")


COLUMNS = tuple(field.name for field in fields(PublishedRow))

#: What makes two rows the same cell.
_PLACE = ("task", "dataset", "model", "method", "bits", "metric", "source", "table", "protocol")


def read_published(text: str, source: str, file: str = "published.csv") -> list[PublishedRow]:
    """The rows of a data file's ``text``; ``source`` is the paper of those rows that name none.

    Raises :class:`harness.DataError`, which names ``file`` and the line, for other columns, a value that is no number,
    unknown flags, a flag or a missing value without its reason, or a cell that stands there twice.
    """
    if not text.strip():
        return []
    reader = csv.DictReader(io.StringIO(text), strict=True)
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise DataError(f"{file} of {source} has the columns {reader.fieldnames}", f"Needed: {','.join(COLUMNS)}")
    rows: dict[tuple[str, ...], PublishedRow] = {}
    try:
        for line in reader:
            where = f"{file} of {source}, line {reader.line_num}"
            if None in line or None in line.values():
                raise DataError(f"{where}: not {len(COLUMNS)} values", "Quote values that contain a comma")
            row = _row(line, source, where)
            place = tuple(getattr(row, name) for name in _PLACE)
            if rows.setdefault(place, row) is not row:
                raise DataError(f"{where}: the same cell a second time", "Remove one, or tell them apart by protocol")
    except csv.Error as error:
        raise DataError(f"{file} of {source}, line {reader.line_num}: {error}", "Mend the file") from None
    return list(rows.values())


def _row(line: dict[str, str], source: str, where: str) -> PublishedRow:
    value = _number(line["value"], where)
    flags = tuple(flag for flag in line["flags"].split(", ") if flag)
    if not all(line[name] for name in ("task", "model", "method", "metric", "table")):
        raise DataError(f"{where}: task, model, method, metric or table is empty", "Every number needs its place")
    if not _BITS.fullmatch(line["bits"]):
        raise DataError(f"{where}: the bits {line['bits']!r}", "Write 4/4, 6MP/6MP or 1/1/1; leave unknown ones empty")
    if not set(flags) <= set(FLAGS):
        raise DataError(f"{where}: the flags {line['flags']!r}", f"Known, separated by a comma: {', '.join(FLAGS)}")
    if flags and not line["note"]:
        raise DataError(f"{where}: flagged {line['flags']}, and no reason", "Say in the note what is wrong")
    if value is None and not flags:
        raise DataError(f"{where}: no value, and no flag", "Flag it as damaged or missing, with the reason in the note")
    places = {name: line[name] for name in line if name not in ("value", "flags", "source")}
    return PublishedRow(**places, value=value, flags=flags, source=line["source"] or source)


def _number(text: str, where: str) -> float | None:
    if not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{where}: the value {text!r} is not a number", "Leave it empty if the paper has none")
    return value
