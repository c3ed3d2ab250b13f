"""What one run measured, with everything needed to judge it and to repeat it.

Every field is documented in ``docs/records.md``.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    NonNegativeFloat,
    ValidationError,
    computed_field,
    model_validator,
)

from ..errors import StoreError
from .checksum import opened
from .identity import digest, identity
from .kept_samples import PerSampleField
from .migrations import SCHEMA_VERSION, migrate, readable_version
from .plain import READ_AS_JSON, Json, JsonObject

#: The method name of the record that holds the full-precision result; an ordinary record at 32/32.
FULL_PRECISION = "full_precision"

#: A whole number that SQLite and parquet hold too.
Count = Annotated[int, Field(ge=0, lt=2**63)]
BitsText = Annotated[str, Field(pattern=r"^\d+/\d+(/\d+)?$")]
Gate = Literal["passed", "flagged", "unknown"]


class DamagedRecordError(StoreError):
    """A record file that cannot be read."""


class Part(BaseModel):
    """Base of the parts of a record: frozen, and unknown names are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Asked(Part):
    """What a run was asked to do: what enters its identity, and nothing else.

    ``fingerprint`` of the data, ``weights_hash`` of the checkpoint. ``calibration_size``: 0 for the
    full-precision record, which belongs to every calibration size. ``evaluation_limit``: number of evaluation
    samples; ``None``: all. ``configuration``: the options of the method and of its components, fully resolved.
    ``budget`` of training; empty for a method that does not train, and then not part of the identity.
    """

    task: str
    scale: str
    model: str
    method: str
    bits: BitsText
    seed: Count = 0
    fingerprint: str
    weights_hash: str
    calibration_size: Count
    evaluation_limit: Annotated[Count, Field(gt=0)] | None = None
    configuration: JsonObject = Field(default_factory=dict)
    budget: str = ""

    @property
    def identity(self) -> str:
        """The run's identity."""
        return identity(self.model_dump(exclude=set() if self.budget else {"budget"}))

    @property
    def configuration_hash(self) -> str:
        """Hash of ``configuration``."""
        return digest(self.configuration)


class Failure(Part):
    """Why a run failed: ``error`` is the type of the exception, ``remedy`` what the user can do."""

    phase: str
    reason: str
    remedy: str = ""
    error: str
    traceback: str = ""


class Reference(Part):
    """The full-precision record that a run is compared with, and its gate.

    ``value``: its main metric. ``published``: the checkpoint's published figure on exactly these data.
    ``tolerance``: how far apart they may be before the gate is flagged.
    """

    identity: str
    value: FiniteFloat
    published: FiniteFloat | None = None
    tolerance: NonNegativeFloat | None = None
    gate: Gate = "unknown"

    @property
    def deviation(self) -> float | None:
        """Measured minus published full-precision figure; ``None`` where nothing is published."""
        return None if self.published is None else self.value - self.published


class CalibrationSet(Part):
    """The samples drawn for calibration. ``sha256`` is of the ids, in the order drawn."""

    split: str
    size: Count
    seed: Count
    ids: tuple[str, ...]
    sha256: str


class Costs(Part):
    """What the quantized model costs for one sample, as the harness counts it.

    ``bops``: convention -> bit-operations. ``sizes``: convention -> bytes of the model.
    """

    macs: Count
    bops: dict[str, FiniteFloat]
    parameters: Count
    sizes: dict[str, FiniteFloat] = Field(default_factory=dict)


class Environment(Part):
    """Where and with what a run was measured; not part of its identity."""

    harness: str
    commit: str = ""
    python: str
    packages: dict[str, str] = Field(default_factory=dict)
    platform: str = ""
    cpu: str = ""
    isa: tuple[str, ...] = ()
    threads: Count = 0
    device: str = "cpu"
    command: tuple[str, ...] = ()


class Record(Part):
    """One run. ``status`` ``ok`` has metrics, ``failed`` has a failure.

    ``options``: those that were given, nested as ``--set`` gives them (``asked.configuration`` has
    all, resolved).
    """

    schema_version: Annotated[int, Field(ge=SCHEMA_VERSION, le=SCHEMA_VERSION)] = SCHEMA_VERSION
    asked: Asked
    options: JsonObject = Field(default_factory=dict)
    status: Literal["ok", "failed"]
    failure: Failure | None = None
    notice: str = ""
    metrics: dict[str, FiniteFloat] = Field(default_factory=dict)
    main_metric: str = ""
    metrics_beside: tuple[str, ...] = ()
    per_sample: PerSampleField | None = None
    reference: Reference | None = None
    costs: Costs | None = None
    coverage: Json = Field(default_factory=list)
    calibration: CalibrationSet | None = None
    notes: JsonObject = Field(default_factory=dict)
    timings: dict[str, NonNegativeFloat] = Field(default_factory=dict)
    peak_memory: Count | None = None
    environment: Environment
    created: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$")]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def identity(self) -> str:
        """Hash of ``asked``."""
        return self.asked.identity

    @property
    def numbers(self) -> str:
        """Hash of what was measured, but for time, memory and place: two records of one run should agree in it."""
        measured = {"status", "metrics", "main_metric", "metrics_beside", "per_sample", "reference", "costs"}
        return digest(self.model_dump(mode="json", include=measured))

    @property
    def value(self) -> float:
        """The main metric. Raises :class:`KeyError` for a failed run."""
        return self.metrics[self.main_metric]

    @property
    def is_reference(self) -> bool:
        """Whether this is a full-precision record."""
        return self.asked.method == FULL_PRECISION

    @model_validator(mode="before")
    @classmethod
    def _same_identity(cls, data: Any) -> Any:
        """Accept the identity that a file states, if it is that of what the file says was asked."""
        if not isinstance(data, dict) or "identity" not in data:
            return data
        rest = {name: value for name, value in data.items() if name != "identity"}
        try:
            expected = Asked.model_validate(rest.get("asked")).identity
        except ValidationError:  # said by the validation of the field
            return rest
        if data["identity"] != expected:
            raise ValueError(f"identity {data['identity']!r} does not belong to what was asked ({expected})")
        return rest

    @model_validator(mode="after")
    def _status_fits(self) -> Record:
        if self.status == "ok" and (self.failure is not None or self.main_metric not in self.metrics):
            raise ValueError("a run that is ok needs its main metric among its metrics, and no failure")
        if self.status == "failed" and self.failure is None:
            raise ValueError("a failed run needs its failure")
        return self

    def to_json(self) -> str:
        """The text of the record's file: the same bytes for the same record."""
        # A field that came later is not written where it is empty, so that older records keep their bytes.
        later: dict[str, Any] = {} if self.metrics_beside else {"metrics_beside": True}
        if not self.asked.budget:
            later["asked"] = {"budget"}
        return json.dumps(self.model_dump(mode="json", exclude=later), sort_keys=True, indent=1, ensure_ascii=False,
                          allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, source: str = "record") -> Record:
        """Read a record of this or an older schema version; ``source`` names it in errors.

        Raises :class:`DamagedRecordError`, or :class:`harness.StoreError` for a record of a newer schema.
        """
        try:
            data = json.loads(text, parse_constant=_refuse)
            if not isinstance(data, dict):
                raise ValueError("not a JSON object")
            readable_version(data)  # how a newer harness makes its checksum is not known
            return cls.model_validate(migrate(opened(data)), context=READ_AS_JSON)
        except StoreError as error:
            raise StoreError(f"{source}: {error.message}", error.remedy) from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise DamagedRecordError(f"{source}: {f'{where}: ' if where else ''}{first['msg']}", _REMEDY) from None
        except (ValueError, RecursionError) as error:
            raise DamagedRecordError(f"{source}: {error}", _REMEDY) from None


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number of JSON")


_REMEDY = "Restore the file (git checkout), or remove it and run again"
