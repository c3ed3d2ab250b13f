"""What changed between two sets of records, as a document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from ..results.compare import Change, Changes
from ..results.entry import Measured
from .document import Document, Part
from .grid import Column, Grid, Line, signed, without_empty

#: What the row of a record is called.
Label = Callable[[Measured], str]

_RUN = (Column("task", "task"), Column("model", "model"), Column("bits", "W/A"), Column("method", "method"),
        Column("seed", "seed", "number", digits=0))
_NUMBERS = (Column("metric", "metric"), Column("before", "A", "number", digits=2),
            Column("after", "B", "number", digits=2), Column("change", "B - A", "number"),
            Column("bops", "BOPs", "number"), Column("size", "size", "number"), Column("differs", "differs in"))
EXPLANATION = ("B - A is the change of the main metric, [low, high] its 95 % interval over the same samples where both "
               "have them; costs change in percent. Runs with the same identity were asked the same; moved ones share "
               "task, scale, model, method, bits and seed, and differ in what is named.")


def document(changes: Changes, before: str, after: str, label: Label, convention: str = "plain") -> Document:
    """``changes`` from ``before`` to ``after``, which are what the two are called."""
    parts = [
        _changes("Same runs, other numbers", changes.changed, label, convention),
        _changes("Moved: same method, model, bits and seed, asked something else", changes.moved, label, convention),
        _records(f"Only in A ({before})", changes.only_before, label),
        _records(f"Only in B ({after})", changes.only_after, label)]
    said = (f"{changes.same} runs agree in their numbers, {len(changes.changed)} changed, {len(changes.moved)} moved, "
            f"{len(changes.only_before)} only in A, {len(changes.only_after)} only in B.")
    kept = tuple(part for part in parts if part.grid.groups)
    return Document(f"{before} (A) and {after} (B)", kept, (said,), EXPLANATION if kept else "", "No differences.")


def _changes(heading: str, changes: Sequence[Change], label: Label, convention: str) -> Part:
    lines = tuple((*_run(change.after, label), *_numbers(change, convention)) for change in changes)
    grid = without_empty(Grid((*_RUN, *_NUMBERS), (lines,) if lines else ()), ("change",))
    return Part(heading, grid, notes=tuple(_causes(changes)))


def _run(record: Measured, label: Label) -> Line:
    asked = record.asked
    called = "full precision" if record.is_reference else label(record)
    return asked.task, f"{asked.model} ({asked.scale})", asked.bits, called, asked.seed


def _numbers(change: Change, convention: str) -> Line:
    before, after = (record.value if record.status == "ok" else "failed" for record in (change.before, change.after))
    return (change.after.main_metric or change.before.main_metric, before, after, _difference(change),
            _percent(change.cost("bops", convention)), _percent(change.cost("sizes", convention)),
            "; ".join([*change.fields, *_kinds(change)]))


def _difference(change: Change) -> str | None:
    if change.value is None:
        return None
    found = change.difference
    interval = f" [{signed(found.low, 2)}, {signed(found.high, 2)}]" if found else ""
    return signed(change.value, 2) + interval


def _percent(share: float | None) -> str | None:
    return None if not share else f"{signed(100 * share, 2)} %"


def _kinds(change: Change) -> list[str]:
    found = change.environment
    kinds = [name for name in ("code", "dependencies", "hardware") if getattr(found, name)]
    return kinds or ([] if change.fields else ["nothing that the environment says"])


def _causes(changes: Iterable[Change]) -> list[str]:
    """What differs between the environments, with the number of runs, by kind."""
    said = []
    changes = list(changes)
    for kind in ("code", "dependencies", "hardware"):
        found = Counter(text for change in changes for text in getattr(change.environment, kind))
        said += [f"{kind}: {text} ({count} runs)" for text, count in sorted(found.items())]
    return said


def _records(heading: str, records: Sequence[Measured], label: Label) -> Part:
    columns = (*_RUN, Column("metric", "metric"), Column("value", "value", "number", digits=2),
               Column("identity", "identity"))
    lines = tuple((*_run(record, label), record.main_metric, record.value if record.status == "ok" else "failed",
                   record.identity) for record in records)
    return Part(heading, Grid(columns, (lines,) if lines else ()))


def as_data(changes: Changes, before: str, after: str) -> Mapping[str, object]:
    """The same as plain data, for JSON."""
    return {"a": before, "b": after, "same": changes.same, "changed": [_plain(change) for change in changes.changed],
            "moved": [_plain(change) for change in changes.moved],
            "only_a": [_identified(record) for record in changes.only_before],
            "only_b": [_identified(record) for record in changes.only_after]}


def _plain(change: Change) -> dict[str, object]:
    return {"a": _identified(change.before), "b": _identified(change.after), "asked_differently": change.fields,
            "change": change.value, "difference": change.difference, "environment": change.environment}


def _identified(record: Measured) -> dict[str, object]:
    asked = record.asked
    return {"identity": record.identity, "task": asked.task, "scale": asked.scale, "model": asked.model,
            "method": asked.method, "bits": asked.bits, "seed": asked.seed, "status": record.status,
            "metric": record.main_metric, "value": record.value if record.status == "ok" else None,
            "bops": record.costs.bops if record.costs else {}, "sizes": record.costs.sizes if record.costs else {}}
