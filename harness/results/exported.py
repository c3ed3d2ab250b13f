"""Records as ``harness export`` writes them (``records.parquet``): numbers without samples and options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ..errors import DataError
from .record import FULL_PRECISION, Costs, Environment, Failure, Reference
from .samples import PerSample


@dataclass(frozen=True)
class ExportedAsked:
    """What an exported run was asked to do; of its options only the hash is known."""

    task: str
    scale: str
    model: str
    method: str
    bits: str
    seed: int
    fingerprint: str
    weights_hash: str
    calibration_size: int
    evaluation_limit: int | None
    budget: str
    configuration_hash: str
    configuration: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Exported:
    """One line of an export, as far as it tells what a record does. ``label``: what tables call its row."""

    asked: ExportedAsked
    identity: str
    label: str
    status: str
    notice: str
    created: str
    main_metric: str
    metrics: Mapping[str, float]
    costs: Costs | None
    environment: Environment
    peak_memory: int | None = None
    numbers: str = ""
    metrics_beside: tuple[str, ...] = ()
    per_sample: PerSample | None = None
    failure: Failure | None = None
    reference: Reference | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The main metric. Raises :class:`KeyError` for a failed run."""
        return self.metrics[self.main_metric]

    @property
    def is_reference(self) -> bool:
        """Whether this is a full-precision record."""
        return self.asked.method == FULL_PRECISION


def read_exported(path: Path) -> list[Exported]:
    """The lines of a ``records.parquet``. Raises :class:`harness.DataError` for any other file."""
    import pyarrow
    import pyarrow.parquet

    remedy = "Give the records.parquet that harness export writes"
    try:
        lines = pyarrow.parquet.read_table(path).to_pylist()
        return [_exported(line) for line in lines]
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{path}: {error}", remedy) from None
    except KeyError as error:
        raise DataError(f"{path} has no column {error}", remedy) from None


def exported_environment(environment: Environment) -> Environment:
    """What an export keeps of an environment."""
    torch = environment.packages.get("torch")
    return environment.model_copy(update={"python": "", "packages": {"torch": torch} if torch else {}, "isa": (),
                                          "command": ()})


def _exported(line: Mapping[str, Any]) -> Exported:
    asked = {each.name: line[each.name] for each in fields(ExportedAsked) if each.name != "configuration"}
    value, torch = line["value"], line["torch"]
    return Exported(
        asked=ExportedAsked(**asked), metrics={} if value is None else {line["metric"]: value},
        main_metric=line["metric"], costs=None if line["macs"] is None else Costs(
            macs=line["macs"], parameters=line["parameters"], bops=_prefixed(line, "bops."),
            sizes=_prefixed(line, "size.")),
        environment=Environment(python="", packages={"torch": torch} if torch else {}, **{
            name: line[name] for name in ("harness", "commit", "platform", "cpu", "threads", "device")}),
        **{name: line[name] for name in ("identity", "label", "status", "notice", "created", "peak_memory")})


def _prefixed(line: Mapping[str, Any], prefix: str) -> dict[str, float]:
    return {name.removeprefix(prefix): value for name, value in line.items()
            if name.startswith(prefix) and value is not None}
