"""What changed from one set of records to another: the same runs with other numbers, and runs that moved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .duplicates import distinct
from .entry import Measured
from .environment_difference import EnvironmentDifference, environment_difference
from .exported import Exported, exported_environment
from .options_text import as_settings
from .statistics.differences import Difference
from .tables.ranking import difference
from .tables.sections import Scope
from .tables.selection import bits_order

#: What two runs must share to be matched although their identities differ.
_MATCHED = ("task", "scale", "model", "method", "bits", "seed")
_MAY_DIFFER = ("fingerprint", "weights_hash", "calibration_size", "evaluation_limit", "budget")


@dataclass(frozen=True)
class Change:
    """One run before and after. ``fields``: what was asked differently, ``"name: before -> after"``; empty for the
    same identity. ``difference``: after minus before over the same samples, where they can be paired.
    """

    before: Measured
    after: Measured
    fields: tuple[str, ...]
    difference: Difference | None
    environment: EnvironmentDifference

    @property
    def value(self) -> float | None:
        """How much the main metric rose; ``None`` where one of the two failed."""
        both_ok = self.before.status == "ok" == self.after.status
        return self.after.value - self.before.value if both_ok else None

    @property
    def same_data(self) -> bool:
        """Whether both were evaluated on the same samples of the same data, with the same checkpoint."""
        one, other = self.before.asked, self.after.asked
        return (one.fingerprint, one.weights_hash, one.evaluation_limit) == (
            other.fingerprint, other.weights_hash, other.evaluation_limit)

    def cost(self, kind: str, convention: str) -> float | None:
        """By which share ``bops`` or ``sizes`` rose; ``None`` where that is not known."""
        before, after = (getattr(record.costs, kind, {}).get(convention) for record in (self.before, self.after))
        return None if not before or after is None else after / before - 1

    def is_worse(self, gap: float) -> bool:
        """Whether the metric fell by more than ``gap`` on the same data, or the run fails now."""
        if self.before.status != "ok":
            return False
        return self.after.status != "ok" or (self.same_data and -(self.value or 0.0) > gap)


@dataclass(frozen=True)
class Changes:
    """``same``: runs that agree in every number. ``changed``: the same runs with other numbers, largest change
    first. ``moved``: runs of the same method, model, bits and seed that were asked something else.
    """

    same: int
    changed: tuple[Change, ...]
    moved: tuple[Change, ...]
    only_before: tuple[Measured, ...]
    only_after: tuple[Measured, ...]

    def worse(self, gap: float) -> list[Change]:
        """The changes for the worse by more than ``gap``."""
        return [change for change in (*self.changed, *self.moved) if change.is_worse(gap)]


def compare(before: Iterable[Measured], after: Iterable[Measured]) -> Changes:
    """How ``after`` differs from ``before``."""
    old, new = ({record.identity: record for record in distinct(records)[0]} for records in (before, after))
    both = [(record, new[identity]) for identity, record in old.items() if identity in new]
    changed = [_change(one, other) for one, other in both if not _agree(one, other)]
    moved, only_before, only_after = _matched([record for identity, record in old.items() if identity not in new],
                                              [record for identity, record in new.items() if identity not in old])
    return Changes(len(both) - len(changed), tuple(sorted(changed, key=_change_order)),
                   tuple(sorted(moved, key=_change_order)), *(tuple(sorted(records, key=_order))
                                                              for records in (only_before, only_after)))


def _agree(one: Measured, other: Measured) -> bool:
    """Whether two records of a run have the same numbers; an export knows fewer of them."""
    if not _exported(one, other):
        return one.numbers == other.numbers
    return all(getattr(one, name) == getattr(other, name) for name in ("status", "costs")) and (
        one.metrics.get(one.main_metric) == other.metrics.get(other.main_metric))


def _exported(*records: Measured) -> bool:
    """Whether one of them knows only what an export keeps."""
    return any(isinstance(record, Exported) for record in records)


def _change(before: Measured, after: Measured) -> Change:
    paired = before.status == "ok" == after.status and Scope.of(before) == Scope.of(after) \
        and before.main_metric == after.main_metric
    environments = before.environment, after.environment
    if _exported(before, after):
        environments = exported_environment(environments[0]), exported_environment(environments[1])
    return Change(before, after, tuple(_differing(before, after)), difference([after], [before]) if paired else None,
                  environment_difference(*environments))


def _matched(before: Sequence[Measured],
             after: Sequence[Measured]) -> tuple[list[Change], list[Measured], list[Measured]]:
    """Pairs that share what :data:`_MATCHED` names, those that differ least first; and the rest of both."""
    there: dict[tuple[Any, ...], list[Measured]] = {}
    for record in after:
        there.setdefault(_place(record), []).append(record)
    candidates = sorted((len(_differing(one, other)), one.identity, other.identity) for one in before
                        for other in there.get(_place(one), ()))
    known = {record.identity: record for record in (*before, *after)}
    taken: set[str] = set()
    moved = []
    for _, one, other in candidates:
        if not {one, other} & taken:
            taken |= {one, other}
            moved.append(_change(known[one], known[other]))
    rest = [[record for record in records if record.identity not in taken] for records in (before, after)]
    return moved, rest[0], rest[1]


def _place(record: Measured) -> tuple[Any, ...]:
    return tuple(getattr(record.asked, name) for name in _MATCHED)


def _differing(before: Measured, after: Measured) -> list[str]:
    """What was asked differently."""
    if before.identity == after.identity:
        return []
    one, other = before.asked, after.asked
    pairs = [(name, getattr(one, name), getattr(other, name)) for name in _MAY_DIFFER]
    if _exported(before, after):
        pairs.append(("options", one.configuration_hash, other.configuration_hash))
    elif one.configuration_hash != other.configuration_hash:
        settings = [_settings(asked.configuration) for asked in (one, other)]
        pairs += [(name, settings[0].get(name, "none"), settings[1].get(name, "none"))
                  for name in sorted({*settings[0], *settings[1]})]
    return [f"{name}: {_short(name, old)} -> {_short(name, new)}" for name, old, new in pairs if old != new]


def _settings(configuration: Mapping[str, Any]) -> dict[str, str]:
    return dict(setting.split("=", 1) for setting in as_settings(configuration))  # type: ignore[misc]


def _short(name: str, value: Any) -> str:
    if name in ("fingerprint", "weights_hash", "options"):
        return str(value)[:12]
    return "all" if value is None else str(value) or "none"


def _order(record: Measured) -> tuple[Any, ...]:
    asked = record.asked
    return asked.task, asked.scale, asked.model, asked.method, bits_order(asked.bits), asked.seed, record.identity


def _change_order(change: Change) -> tuple[Any, ...]:
    """Failures first, then the largest changes of the metric."""
    return (change.value is not None, -abs(change.value or 0.0), _order(change.after))
