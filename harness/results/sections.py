"""Which records may stand in one table: those that differ in method, options, bits and seed only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace

from ..errors import DataError
from .record import Record


@dataclass(frozen=True)
class Scope:
    """What all records of a section share. ``calibration_size`` is ``None`` where there is only the reference."""

    task: str
    scale: str
    model: str
    fingerprint: str
    weights_hash: str
    evaluation_limit: int | None
    calibration_size: int | None

    @classmethod
    def of(cls, record: Record) -> Scope:
        """The scope of one record."""
        asked = record.asked
        return cls(asked.task, asked.scale, asked.model, asked.fingerprint,
                   asked.weights_hash, asked.evaluation_limit,
                   None if record.is_reference else asked.calibration_size)

    @property
    def without_calibration(self) -> Scope:
        """The scope of the full-precision record."""
        return replace(self, calibration_size=None)

    @property
    def order(self) -> tuple[tuple[bool, object], ...]:
        """Sort key; full scale first, ``None`` (no limit) before limits."""
        values = [self.scale != "full", self.scale, self.model, self.fingerprint, self.weights_hash,
                  self.evaluation_limit, self.calibration_size]
        return tuple((value is not None, 0 if value is None else value) for value in values)


def split(records: Iterable[Record]) -> dict[Scope, list[Record]]:
    """The records of each scope, in order; a full-precision record joins every calibration size."""
    found: dict[Scope, list[Record]] = {}
    references: dict[Scope, list[Record]] = {}
    for record in _distinct(records):
        (references if record.is_reference else found).setdefault(Scope.of(record), []).append(record)
    used = {scope.without_calibration for scope in found}
    for scope, members in found.items():
        members += references.get(scope.without_calibration, [])
    found |= {scope: members for scope, members in references.items() if scope not in used}
    return {scope: found[scope] for scope in sorted(found, key=lambda scope: scope.order)}


def _distinct(records: Iterable[Record]) -> list[Record]:
    """The records without repetitions, in an order that does not depend on that of the input."""
    known: dict[str, Record] = {}
    for record in records:
        if known.setdefault(record.identity, record) != record:
            raise DataError(f"two different records of run {record.identity}",
                            "Keep the one to show: give one results folder, or remove a file")
    return [known[identity] for identity in sorted(known)]


def mixture(scopes: Sequence[Scope]) -> str:
    """What keeps these scopes apart, in words; empty for one scope."""
    parts = []
    for field in fields(Scope):
        values = {getattr(scope, field.name) for scope in scopes}
        if field.name == "calibration_size":  # the reference has none, and stands beside every size
            values.discard(None)
        if len(values) > 1:
            shown = sorted("all" if value is None else str(value) for value in values)
            parts.append(f"{_WORDS.get(field.name, field.name)} ({', '.join(shown)})")
    return ", ".join(parts)


def require_same_scope(first: Record, second: Record) -> None:
    """Raise :class:`harness.DataError` unless the two runs may be compared."""
    different = mixture([Scope.of(first), Scope.of(second)])
    if different:
        raise DataError(f"runs {first.identity} and {second.identity} do not compare: they differ in {different}",
                        "Compare runs on the same task, scale, model, data, weights, calibration size and limit")


_WORDS = {"fingerprint": "data fingerprint", "weights_hash": "weights", "evaluation_limit": "evaluation limit",
          "calibration_size": "calibration size"}
