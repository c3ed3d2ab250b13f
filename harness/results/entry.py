"""A record as tables need it: light enough to have 100,000 of.

An :class:`Entry` is a row of the index (``harness.results.storage.index``): its scalars are plain attributes, its
larger parts are fetched and read when they are first asked for. Statistics and tables take whatever is
:class:`Measured`: a :class:`~harness.results.record.Record`, or an :class:`Entry`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic_core import from_json

from .parts import Parts
from .record import FULL_PRECISION, Costs, Environment, Failure, Record, Reference
from .record_file import read
from .samples import PerSample


class MeasuredAsked(Protocol):
    """What a run was asked to do; :class:`~harness.results.record.Asked` says what the names mean."""

    @property
    def task(self) -> str: ...
    @property
    def scale(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def bits(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def weights_hash(self) -> str: ...
    @property
    def calibration_size(self) -> int: ...
    @property
    def evaluation_limit(self) -> int | None: ...
    @property
    def budget(self) -> str: ...
    @property
    def configuration(self) -> Mapping[str, Any]: ...
    @property
    def configuration_hash(self) -> str: ...


class Measured(Protocol):
    """What statistics and tables need of a record; :class:`~harness.results.record.Record` documents it."""

    @property
    def asked(self) -> MeasuredAsked: ...
    @property
    def identity(self) -> str: ...
    @property
    def numbers(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def is_reference(self) -> bool: ...
    @property
    def notice(self) -> str: ...
    @property
    def created(self) -> str: ...
    @property
    def main_metric(self) -> str: ...
    @property
    def value(self) -> float: ...
    @property
    def metrics(self) -> Mapping[str, float]: ...
    @property
    def metrics_beside(self) -> tuple[str, ...]: ...
    @property
    def per_sample(self) -> PerSample | None: ...
    @property
    def options(self) -> Mapping[str, Any]: ...
    @property
    def failure(self) -> Failure | None: ...
    @property
    def reference(self) -> Reference | None: ...
    @property
    def costs(self) -> Costs | None: ...
    @property
    def timings(self) -> Mapping[str, float]: ...
    @property
    def peak_memory(self) -> int | None: ...
    @property
    def environment(self) -> Environment: ...


@dataclass(slots=True, eq=False)
class EntryAsked:
    """What the run of an entry was asked to do. What is its own comes first, then what it shares with other seeds."""

    seed: int
    _parts: Parts
    task: str
    scale: str
    model: str
    method: str
    bits: str
    fingerprint: str
    weights_hash: str
    calibration_size: int
    evaluation_limit: int | None
    budget: str
    configuration_hash: str
    _configuration: int

    @property
    def configuration(self) -> Mapping[str, Any]:
        """The options of the method and of its components, fully resolved."""
        found: Mapping[str, Any] = self._parts.plain(self._configuration)
        return found


@dataclass(slots=True, eq=False)
class Entry:
    """One row of the index: a record without coverage, notes and the names of the calibration samples.

    :meth:`record` reads the whole.
    """

    asked: EntryAsked
    identity: str
    numbers: str
    created: str
    peak_memory: int | None
    _value: float | None
    _metrics: str
    _timings: str
    _number: int
    _folder: Path
    _name: bytes
    _environment: int
    _failure: int | None
    _reference: int | None
    _costs: int | None
    _samples: int | None
    _parts: Parts
    status: str
    notice: str
    main_metric: str
    options: Mapping[str, Any]
    metrics_beside: tuple[str, ...]

    @property
    def path(self) -> Path:
        """Its file."""
        return self._folder / os.fsdecode(self._name)

    @property
    def value(self) -> float:
        """The main metric. Raises :class:`KeyError` for a failed run."""
        if self._value is None:
            raise KeyError(self.main_metric)
        return self._value

    @property
    def is_reference(self) -> bool:
        """Whether this is a full-precision record."""
        return self.asked.method == FULL_PRECISION

    @property
    def metrics(self) -> dict[str, float]:
        """Name to value."""
        found: dict[str, float] = from_json(self._metrics)
        return found

    @property
    def timings(self) -> dict[str, float]:
        """Phase to seconds."""
        found: dict[str, float] = from_json(self._timings)
        return found

    @property
    def environment(self) -> Environment:
        """Where and with what it was measured."""
        found = self._parts.model(Environment, self._environment)
        assert found is not None
        return found

    @property
    def failure(self) -> Failure | None:
        """Why it failed; ``None`` for a run that is ok."""
        return self._parts.model(Failure, self._failure)

    @property
    def reference(self) -> Reference | None:
        """The full-precision record."""
        return self._parts.model(Reference, self._reference)

    @property
    def costs(self) -> Costs | None:
        """What the quantized model costs for one sample."""
        return self._parts.model(Costs, self._costs)

    @property
    def per_sample(self) -> PerSample | None:
        """What the main metric needs of each sample."""
        return None if self._samples is None else self._parts.samples(self._samples, self._number)

    def record(self) -> Record:
        """The whole record, from its file; raises as :func:`~harness.results.record_file.read` does."""
        return read(self.path)
