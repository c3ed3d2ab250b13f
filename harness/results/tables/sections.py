"""Which records may stand in one table: those that differ in method, options, bits and seed only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, TypeVar

from ...errors import DataError
from ..duplicates import distinct
from ..entry import Measured

Kind = TypeVar("Kind", bound=Measured)


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
    def of(cls, record: Measured) -> Scope:
        """The scope of one record; the same object for all records of a scope."""
        asked = record.asked
        return _scope(asked.task, asked.scale, asked.model, asked.fingerprint,
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


@lru_cache(maxsize=1024)
def _scope(*values: Any) -> Scope:
    return Scope(*values)


def split(records: Iterable[Kind]) -> dict[Scope, list[Kind]]:
    """The records of each scope, in an order that does not depend on that of the input.

    A full-precision record joins every calibration size. Raises :class:`harness.DataError` for two records of one
    run that do not agree.
    """
    kept, conflicts = distinct(records)
    if conflicts:
        raise DataError(f"two different records of run {conflicts[0][0].identity}",
                        "Keep the one to show: give one results folder, or remove a file")
    found: dict[Scope, list[Kind]] = {}
    references: dict[Scope, list[Kind]] = {}
    for record in kept:
        (references if record.is_reference else found).setdefault(Scope.of(record), []).append(record)
    used = {scope.without_calibration for scope in found}
    for scope, members in found.items():
        members += references.get(scope.without_calibration, [])
    found |= {scope: members for scope, members in references.items() if scope not in used}
    return {scope: found[scope] for scope in sorted(found, key=lambda scope: scope.order)}


def mixture(scopes: Sequence[Scope]) -> str:
    """What keeps these scopes apart, in words; empty for one scope."""
    parts = []
    for field in fields(Scope):
        values = {getattr(scope, field.name) for scope in scopes}
        if field.name == "calibration_size":  # the reference has none, and stands beside every size
            values.discard(None)
        if len(values) > 1:
            hashed = field.name in ("fingerprint", "weights_hash")
            shown = sorted("all" if value is None else str(value)[:12 if hashed else None] for value in values)
            parts.append(f"{_WORDS.get(field.name, field.name)} ({', '.join(shown)})")
    return ", ".join(parts)


def require_same_scope(first: Measured, second: Measured) -> None:
    """Raise :class:`harness.DataError` unless the two runs may be compared."""
    scopes = Scope.of(first), Scope.of(second)
    if scopes[0] == scopes[1]:
        return
    different = mixture(scopes)
    if different:
        raise DataError(f"runs {first.identity} and {second.identity} do not compare: they differ in {different}",
                        "Compare runs on the same task, scale, model, data, weights, calibration size and limit")


_WORDS = {"fingerprint": "data fingerprint", "weights_hash": "weights", "evaluation_limit": "evaluation limit",
          "calibration_size": "calibration size"}
