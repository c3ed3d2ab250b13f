"""Tables as data: a pure function of records and published rows. ``render`` turns them into text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from .published import PublishedRow
from .ranking import difference, ranks
from .record import Record, Reference
from .remarks import explanation, remarks
from .row_labels import Ablations, grouped
from .sections import Scope, mixture, split
from .statistics import Difference, mean_sd


@dataclass(frozen=True)
class Cell:
    """One method at one bit-width, over its seeds. Numbers are ``None`` where nothing is known.

    ``value``: mean of the main metric; ``sd`` over seeds, where there are several. ``drop``: full precision
    minus ``value``. ``bops``: bit-operations for one sample; ``size``: bytes of the model. ``difference``: to
    ``compared_with`` (a row's label). ``failed``: seeds without a result. ``beside``: means of further metrics.
    """

    bits: str
    seeds: tuple[int, ...]
    failed: tuple[int, ...]
    identities: tuple[str, ...]
    value: float | None
    sd: float | None
    drop: float | None
    bops: float | None
    size: float | None
    rank: int | None = None
    tied: bool = False
    difference: Difference | None = None
    compared_with: str = ""
    beside: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One method with one set of options; ``cells`` by bits."""

    label: str
    method: str
    options: Mapping[str, Any]
    cells: Mapping[str, Cell]


@dataclass(frozen=True)
class Section:
    """Records that may be compared, and the papers' figures for the same task and model.

    ``beside``: metrics shown beside the main one. ``reference``: the full-precision cell. ``gate``: how it
    compares with the checkpoint's published figure.
    ``remarks``: what a reader must know (failures, gate, versions); ``explanation``: how to read the numbers.
    """

    scope: Scope
    heading: str
    notices: tuple[str, ...]
    metric: str
    beside: tuple[str, ...]
    convention: str
    bits: tuple[str, ...]
    reference: Cell | None
    gate: Reference | None
    rows: tuple[Row, ...]
    remarks: tuple[str, ...]
    explanation: str
    published: tuple[PublishedRow, ...]


@dataclass(frozen=True)
class Table:
    """All sections of a task. ``remarks`` say what was kept apart, and what could not be done."""

    task: str
    sections: tuple[Section, ...]
    remarks: tuple[str, ...]


def build(records: Iterable[Record], published: Iterable[PublishedRow], task: str, *,
          baseline: str | None = None, convention: str = "plain", ablations: Ablations = MappingProxyType({})) -> Table:
    """The table of ``task``; records of other tasks are left out.

    ``baseline``: label of the row that others are compared with (default: the best of each bit-width).
    ``convention``: how bit-operations and sizes are counted (sizes: ``plain`` where it has none). ``ablations``: the
    names by which rows call the options of methods. Raises :class:`harness.DataError` for two different records of
    one run.
    """
    scopes = split(record for record in records if record.asked.task == task)
    rows = [row for row in published if row.task == task]
    heading = _headings(scopes)
    sections = tuple(_section(scope, heading[scope], grouped(members, ablations), members, rows, baseline, convention)
                     for scope, members in scopes.items())
    said = []
    different = mixture(list(scopes))
    if different:
        said.append(f"These records differ in {different}. They do not compare, so each combination "
                    "has a section of its own.")
    if baseline is not None:
        without = [section.heading for section in sections if all(row.label != baseline for row in section.rows)]
        said += [f"{heading}: no row {baseline!r} to compare with; compared with the best." for heading in without]
    return Table(task, sections, tuple(said))


def _section(scope: Scope, heading: str, rows_of: Mapping[str, Sequence[Record]], members: Sequence[Record],
             published: Sequence[PublishedRow], baseline: str | None, convention: str) -> Section:
    reference = next((record for record in members if record.is_reference and record.status == "ok"), None)
    gate = reference.reference if reference and reference.reference else next(
        (record.reference for record in members if record.reference), None)
    full = reference.value if reference else gate.value if gate else None
    quantized = [record for record in members if not record.is_reference]
    bits = tuple(sorted({record.asked.bits for record in quantized}, key=_bits_order))
    cells: dict[str, dict[str, Cell]] = {label: {} for label in rows_of}
    for width in bits:
        at_width = {label: [record for record in group if record.asked.bits == width]
                    for label, group in rows_of.items()}
        for label, cell in _cells(width, at_width, full, baseline, convention).items():
            cells[label][width] = cell
    rows = [Row(label, group[0].asked.method, group[0].options, cells[label]) for label, group in rows_of.items()]
    return Section(
        scope=scope, heading=heading, notices=tuple(sorted({r.notice for r in members if r.notice})),
        metric=next((record.main_metric for record in members if record.main_metric), ""),
        beside=tuple(dict.fromkeys(name for record in members for name in record.metrics_beside)),
        convention=convention, bits=bits,
        reference=_cell("32/32", [reference], full, convention) if reference else None, gate=gate,
        rows=tuple(sorted(rows, key=lambda row: _row_order(row, bits))), remarks=remarks(members, gate),
        explanation=explanation(members), published=tuple(sorted(
            (row for row in published if row.model == scope.model), key=_published_order)))


def _cells(bits: str, members: Mapping[str, Sequence[Record]], full: float | None, baseline: str | None,
           convention: str) -> dict[str, Cell]:
    measured = {label: [record for record in group if record.status == "ok"] for label, group in members.items()}
    measured = {label: group for label, group in measured.items() if group}
    rank = ranks(measured)
    held = list(rank.values())
    best = min(rank, key=lambda label: (-mean_sd([r.value for r in measured[label]])[0], label), default="")
    other = baseline if baseline in measured else best
    cells = {}
    for label, group in members.items():
        if group:
            compare = label in measured and label != other
            cells[label] = _cell(
                bits, group, full, convention, rank=rank.get(label), tied=held.count(rank.get(label, 0)) > 1,
                difference=difference(measured[label], measured[other]) if compare else None, compared_with=other)
    return cells


def _cell(bits: str, group: Sequence[Record], full: float | None, convention: str, **ranking: Any) -> Cell:
    group = sorted(group, key=lambda record: record.asked.seed)
    done = [record for record in group if record.status == "ok"]
    value, sd = mean_sd([record.value for record in done]) if done else (None, None)
    return Cell(
        bits=bits, seeds=tuple(record.asked.seed for record in done),
        failed=tuple(record.asked.seed for record in group if record.status == "failed"),
        identities=tuple(record.identity for record in group), value=value, sd=sd,
        drop=None if full is None or value is None else full - value,
        bops=_mean([record.costs.bops.get(convention) for record in done if record.costs]),
        size=_mean([record.costs.sizes.get(convention, record.costs.sizes.get("plain")) for record in done
                    if record.costs]),
        beside={name: mean_sd([record.metrics[name] for record in done])[0] for name in _beside(done)}, **ranking)


def _beside(records: Sequence[Record]) -> list[str]:
    """The metrics to show beside the main one that all of the records have."""
    wanted = dict.fromkeys(name for record in records for name in record.metrics_beside)
    return [name for name in wanted if all(name in record.metrics for record in records)]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean_sd(known)[0] if known else None


def _headings(scopes: Iterable[Scope]) -> dict[Scope, str]:
    """A heading for each scope; those that differ in data or weights only are told apart by the hashes."""
    plain = {scope: _heading(scope) for scope in scopes}
    often = Counter(plain.values())
    return {scope: heading if often[heading] == 1 else
            f"{heading}, data {scope.fingerprint}, weights {scope.weights_hash}" for scope, heading in plain.items()}


def _heading(scope: Scope) -> str:
    calibration = "" if scope.calibration_size is None else f", {scope.calibration_size} calibration samples"
    limited = scope.evaluation_limit is not None
    evaluation = f", first {scope.evaluation_limit} evaluation samples only" if limited else ""
    return f"{scope.scale.upper()} scale: {scope.model}{calibration}{evaluation}"


def _bits_order(bits: str) -> tuple[int, ...]:
    return tuple(int(part) for part in bits.split("/"))


def _row_order(row: Row, bits: Sequence[str]) -> tuple[Any, ...]:
    """Best first, by the lowest bit-width; rows without a result there come after."""
    values = [row.cells[width].value if width in row.cells else None for width in bits]
    return (*((value is None, -(value or 0.0)) for value in values), row.label)


def _published_order(row: PublishedRow) -> tuple[str, ...]:
    return row.dataset, row.metric, row.method, row.source, row.table, row.bits.zfill(12), row.note
