"""How much quantizing each part of the model costs: parts left out, parts alone, and single heads at fewer bits.

The records say so themselves, by the options ``leave_out``, ``only`` and ``head_probe`` of their method.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from types import MappingProxyType

from ...results.entry import Measured
from ...results.tables.probes import HEAD, PARTS, probe
from ...results.tables.row_labels import Ablations
from . import NamedChart
from .points import Point, sections
from .sensitivity_heads import bits_note, heads_chart
from .sensitivity_parts import parts_chart
from .style import named, unique


def build(records: Iterable[Measured], *, convention: str = "plain",
          ablations: Ablations = MappingProxyType({})) -> list[NamedChart]:
    """Of each section, method, bit-width and set of other options: one chart of parts, and one of heads."""
    made = []
    for section in sections(records, convention, ablations, probes=True):
        for members in _alike(section.points):
            whole = next((point for point in members if not _which(point)), None)
            by_part = [point for point in members if _which(point) in PARTS]
            by_head = [point for point in members if _which(point) == HEAD]
            name, bits = whole.label if whole else members[0].method, members[0].bits
            what, part = f"sensitivity of {name} at {bits}", f"{name}-{bits}"
            if by_part:
                drawn = by_part if whole is None else [whole, *by_part]
                made.append(named("sensitivity", section, f"{what}, by part", parts_chart(section, drawn), drawn,
                                  part=part, notes=["Lines: from the figure with all parts quantized. Bars: plus and "
                                                    "minus the standard deviation over seeds."]))
            if by_head:
                made.append(named("sensitivity", section, f"{what}, by head", heads_chart(section, by_head), by_head,
                                  part=f"{part}-heads", width=600, notes=[bits_note(by_head)]))
    return unique(made)


def _which(point: Point) -> str:
    return probe(point.records[0])


def _alike(points: Iterable[Point]) -> list[list[Point]]:
    """Groups of points that differ in what is quantized only, where one of them is a test of sensitivity."""
    groups: dict[str, list[Point]] = defaultdict(list)
    for point in points:
        rest = {name: value for name, value in point.records[0].options.items() if name not in (*PARTS, HEAD)}
        groups[json.dumps([point.method, point.budget, point.bits, rest], sort_keys=True)].append(point)
    return [group for _, group in sorted(groups.items()) if any(map(_which, group))]
