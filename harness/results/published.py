"""Figures that papers print, as the plugins and tasks bring them: data files beside the code."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass, fields

from ..errors import DataError


@dataclass(frozen=True)
class PublishedRow:
    """One number of a paper. ``table`` says where it stands, ``note`` what is wrong with it or was repaired.

    ``value`` is ``None`` where the paper prints no legible number. ``source`` is the paper that prints it.
    """

    task: str
    dataset: str
    model: str
    method: str
    weight_bits: str
    activation_bits: str
    metric: str
    value: float | None
    table: str
    note: str
    source: str = ""

    @property
    def bits(self) -> str:
        """Weights/activations, such as ``4/4`` or ``6MP/6MP``."""
        return f"{self.weight_bits}/{self.activation_bits}"


COLUMNS = tuple(field.name for field in fields(PublishedRow) if field.name != "source")


def read_published(text: str, source: str, file: str = "published.csv") -> list[PublishedRow]:
    """The rows of a data file's ``text``, of the paper ``source``.

    Raises :class:`harness.DataError`, which names ``file`` and the line, for other columns or a value that
    is not a number.
    """
    if not text.strip():
        return []
    reader = csv.DictReader(io.StringIO(text), strict=True)
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise DataError(f"{file} of {source} has the columns {reader.fieldnames}", f"Needed: {','.join(COLUMNS)}")
    rows = []
    try:
        for line in reader:
            if None in line or None in line.values():
                raise DataError(f"{file} of {source}, line {reader.line_num}: not {len(COLUMNS)} values",
                                "Quote values that contain a comma")
            value = _number(line.pop("value"), f"{file} of {source}, line {reader.line_num}")
            rows.append(PublishedRow(**line, value=value, source=source))
    except csv.Error as error:
        raise DataError(f"{file} of {source}, line {reader.line_num}: {error}", "Mend the file") from None
    return rows


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
