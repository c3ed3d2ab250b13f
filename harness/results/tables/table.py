"""Tables as data: a pure function of records and published rows. ``harness.report`` turns them into text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ..entry import Measured
from ..published import PublishedRow
from ..record import FULL_PRECISION, Reference
from ..uncollected import uncollected
from .cells import FULL_PRECISION_WIDTH, Cell, make_cell
from .probes import probe
from .published_beside import PublishedBeside, published_order
from .ranking import Comparison
from .remarks import EXPLANATION, remarks
from .row_labels import Ablations, RowLabels, grouped
from .sections import Scope, mixture, split
from .selection import bits_order


@dataclass(frozen=True)
class Row:
    """One method with one set of options; ``cells`` by bits. ``ablation``: the name of these options, if any."""

    label: str
    method: str
    ablation: str
    options: Mapping[str, Any]
    cells: Mapping[str, Cell]


@dataclass(frozen=True)
class Section:
    """Records that may be compared, and the papers' figures for the same task and model.

    ``samples``: how many were evaluated, where that is known. ``beside``: metrics shown beside the main one.
    ``reference``: the full-precision cell. ``gate``: how it compares with the checkpoint's published figure.
    ``gaps``: bits -> the smallest difference that can be told from none. ``remarks``: what a reader must know
    (failures, gate, versions). ``published``: all of the papers' figures; a cell has those that belong beside it.
    """

    scope: Scope
    heading: str
    notices: tuple[str, ...]
    metric: str
    samples: int | None
    beside: tuple[str, ...]
    convention: str
    bits: tuple[str, ...]
    reference: Cell | None
    gate: Reference | None
    rows: tuple[Row, ...]
    gaps: Mapping[str, float]
    remarks: tuple[str, ...]
    published: tuple[PublishedRow, ...]

    @property
    def explanation(self) -> str:
        """How the numbers are to be read."""
        return EXPLANATION

    def cells(self) -> Iterator[tuple[Row, Cell]]:
        """Every measured cell, by bits and then best first; probes and rows without a result come last."""
        for bits in self.bits:
            there = [(row, row.cells[bits]) for row in self.rows if bits in row.cells]
            yield from sorted(there, key=lambda pair: (pair[1].value is None, pair[1].rank is None,
                                                       -(pair[1].value or 0.0), pair[0].label))


@dataclass(frozen=True)
class Table:
    """All sections of a task. ``remarks`` say what was kept apart, and what could not be done."""

    task: str
    sections: tuple[Section, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class _Wanted:
    """What a table is asked for; see :func:`build`."""

    baseline: str | None
    convention: str
    ablations: Ablations
    published: PublishedBeside


@uncollected()
def build(records: Iterable[Measured], published: Iterable[PublishedRow], task: str, *,
          baseline: str | None = None, convention: str = "plain", ablations: Ablations = MappingProxyType({})) -> Table:
    """The table of ``task``; records of other tasks are left out.

    ``baseline``: label of the row that others are compared with (default: the best of each bit-width).
    ``convention``: how bit-operations and sizes are counted (sizes: ``plain`` where it has none). ``ablations``: the
    names by which rows call the options of methods. Raises :class:`harness.DataError` for two different records of
    one run.
    """
    scopes = split(record for record in records if record.asked.task == task)
    rows = sorted((row for row in published if row.task == task), key=published_order)
    wanted = _Wanted(baseline, convention, ablations, PublishedBeside(rows))
    heading = _headings(scopes)
    sections = tuple(_section(scope, heading[scope], members, rows, wanted) for scope, members in scopes.items())
    said = []
    different = mixture(list(scopes))
    if different:
        said.append(f"These records differ in {different}. They do not compare, so each combination "
                    "has a section of its own.")
    if baseline is not None:
        without = [section.heading for section in sections if all(row.label != baseline for row in section.rows)]
        said += [f"{heading}: no row {baseline!r} to compare with; compared with the best." for heading in without]
    return Table(task, sections, tuple(said))


def _section(scope: Scope, heading: str, members: Sequence[Measured], published: Sequence[PublishedRow],
             wanted: _Wanted) -> Section:
    reference = next((record for record in members if record.is_reference and record.status == "ok"), None)
    gate = reference.reference if reference and reference.reference else next(
        (found for found in (record.reference for record in members) if found), None)
    full = reference.value if reference else gate.value if gate else None
    metric = next((record.main_metric for record in members if record.main_metric), "")
    first = next((record.per_sample for record in members if record.status == "ok"), None)
    samples = first.n if first else scope.evaluation_limit
    rows, gaps = _rows(metric, members, full, samples, wanted)
    bits = tuple(sorted({width for row in rows for width in row.cells}, key=bits_order))
    full_cell = None if reference is None else make_cell(
        FULL_PRECISION_WIDTH, [reference], full, samples, wanted.convention,
        published=wanted.published.of(scope.model, FULL_PRECISION, "", FULL_PRECISION_WIDTH, metric))
    return Section(
        scope=scope, heading=heading, notices=tuple(sorted({record.notice for record in members if record.notice})),
        metric=metric, samples=samples,
        beside=tuple(dict.fromkeys([name for record in members for name in record.metrics_beside])),
        convention=wanted.convention, bits=bits, reference=full_cell, gate=gate,
        rows=tuple(sorted(rows, key=lambda row: _row_order(row, bits))), gaps=gaps,
        remarks=remarks(members, gate, gaps),
        published=tuple(row for row in published if row.model == scope.model))


def _rows(metric: str, members: Sequence[Measured], full: float | None, samples: int | None,
          wanted: _Wanted) -> tuple[list[Row], dict[str, float]]:
    """The rows of a section, and the smallest gap at each bit-width."""
    labels = RowLabels(wanted.ablations)
    groups = grouped(members, wanted.ablations)
    widths: dict[str, dict[str, list[Measured]]] = {}
    for label, group in groups.items():
        for record in group:
            widths.setdefault(record.asked.bits, {}).setdefault(label, []).append(record)
    named = {label: labels.ablation(group[0]) for label, group in groups.items()}
    cells: dict[str, dict[str, Cell]] = {label: {} for label in groups}
    gaps = {}
    for bits, at_width in sorted(widths.items(), key=lambda item: bits_order(item[0])):
        ranked = {label: group for label, group in at_width.items() if not probe(group[0])}
        ranking, gap = _ranking(ranked, wanted.baseline)
        if gap is not None:
            gaps[bits] = gap
        for label, group in at_width.items():
            plain = not group[0].options or named[label]
            figures = wanted.published.of(group[0].asked.model, group[0].asked.method, named[label], bits,
                                          metric) if plain else ()
            cells[label][bits] = make_cell(bits, group, full, samples, wanted.convention, published=figures,
                                            **ranking.get(label, {}))
    return [Row(label, group[0].asked.method, named[label], group[0].options, cells[label])
            for label, group in groups.items()], gaps


def _ranking(at_width: Mapping[str, Sequence[Measured]],
             baseline: str | None) -> tuple[dict[str, dict[str, Any]], float | None]:
    """What the rows of one bit-width are to one another (rank, ties, the difference to the baseline or the best),
    and the smallest gap between them that is more than noise.
    """
    measured = {label: [record for record in group if record.status == "ok"] for label, group in at_width.items()}
    compared = Comparison({label: group for label, group in measured.items() if group})
    rank = compared.ranks()
    held = Counter(rank.values())
    other = baseline if baseline in rank else min(rank, key=lambda label: (-compared.means[label], label), default="")
    return {label: {"rank": rank.get(label), "tied": held[rank.get(label, 0)] > 1, "compared_with": other,
                    "difference": compared.difference(label, other) if label in rank and label != other else None}
            for label in at_width}, compared.smallest_gap()


def _headings(scopes: Iterable[Scope]) -> dict[Scope, str]:
    """A heading for each scope; those that differ in data or weights only are told apart by the hashes."""
    plain = {scope: heading_of(scope) for scope in scopes}
    often = Counter(plain.values())
    return {scope: heading if often[heading] == 1 else
            f"{heading}, data {scope.fingerprint[:12]}, weights {scope.weights_hash[:12]}"
            for scope, heading in plain.items()}


def heading_of(scope: Scope) -> str:
    """What a reader calls a scope."""
    calibration = f", {scope.calibration_size} calibration samples" if scope.calibration_size else ""
    limited = scope.evaluation_limit is not None
    evaluation = f", first {scope.evaluation_limit} evaluation samples only" if limited else ""
    return f"{scope.scale.upper()} scale: {scope.model}{calibration}{evaluation}"


def _row_order(row: Row, bits: Sequence[str]) -> tuple[Any, ...]:
    """Best first, by the lowest bit-width; rows without a result there come after, and probes at the end."""
    values = [row.cells[width].value if width in row.cells else None for width in bits]
    unranked = all(cell.rank is None for cell in row.cells.values())
    return (unranked, *((value is None, -(value or 0.0)) for value in values), row.label)
