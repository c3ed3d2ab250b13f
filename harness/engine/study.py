"""A study: what to run. The same keys in a TOML file, on the command line and in this class.

Every field is marked as *identity* (it changes what is measured, and so enters a run's hash) or
*knob* (how or where it runs). A test fails for a field without a mark.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator
from pydantic.config import JsonDict

from ..errors import OptionError
from ..options import Options, resolve
from ..request import Bits

IDENTITY: JsonDict = {"part": "identity"}
KNOB: JsonDict = {"part": "knob"}


class Study(Options):
    """The matrix of runs: tasks x models x methods x bits x seeds."""

    methods: tuple[str, ...] = Field(description="names of methods", json_schema_extra=IDENTITY)
    task: tuple[str, ...] = Field(description="names of tasks", json_schema_extra=IDENTITY)
    bits: tuple[str, ...] = Field(("8/8",), description="weights/activations, such as 4/4,6/6",
                                  json_schema_extra=IDENTITY)
    seeds: tuple[int, ...] = Field((0,), description="seeds of the calibration draw and of the method",
                                   json_schema_extra=IDENTITY)
    scale: str | None = Field(None, description="mini or full; default: full where data is configured",
                              pattern="^(mini|full)$", json_schema_extra=IDENTITY)
    model: tuple[str, ...] = Field((), description="models; default: the task's own", json_schema_extra=IDENTITY)
    data: str | None = Field(None, description="folder of the data set; its fingerprint enters the identity",
                             json_schema_extra=IDENTITY)
    weights: str | None = Field(None, description="checkpoint file, or 'random'; its hash enters the identity",
                                json_schema_extra=IDENTITY)
    set: dict[str, Any] = Field(default_factory=dict, description="options of methods: METHOD.OPTION = value",
                                json_schema_extra=IDENTITY)
    calibration: int | None = Field(None, ge=1, description="calibration samples, the same for every method; none: "
                                    "the task's number", json_schema_extra=IDENTITY)
    limit: int | None = Field(None, ge=1, description="evaluate on the first N samples only",
                              json_schema_extra=IDENTITY)
    budget: tuple[str, ...] = Field(("1ep",), description="training budgets of methods that train: epochs (1ep), steps "
                                    "(steps=200) or paper (the paper's schedule)", json_schema_extra=IDENTITY)
    results: str = Field("results", description="folder of the records", json_schema_extra=KNOB)
    force: bool = Field(False, description="measure again what is already recorded", json_schema_extra=KNOB)
    batch_size: int = Field(32, ge=1, description="samples evaluated at a time", json_schema_extra=KNOB)
    device: str = Field("cpu", description="torch device", json_schema_extra=KNOB)
    threads: int | None = Field(None, ge=1, description="CPU threads of torch", json_schema_extra=KNOB)
    snapshot_seconds: float = Field(60.0, gt=0, description="seconds between two snapshots of unfinished training",
                                    json_schema_extra=KNOB)
    timeout: float | None = Field(None, gt=0, description="seconds after which a run is given up",
                                  json_schema_extra=KNOB)
    debug: bool = Field(False, description="tracebacks for every error", json_schema_extra=KNOB)

    @field_validator("methods", "task", "bits", "model", "budget", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """Accept ``"a,b"`` for ``["a", "b"]``, and drop repetitions."""
        if isinstance(value, str):
            value = value.split(",")
        if isinstance(value, list | tuple):
            items = [str(item).strip() for item in value if str(item).strip()]
            return tuple(dict.fromkeys(items))
        return value

    @field_validator("seeds", mode="before")
    @classmethod
    def _numbers(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = value.split(",")
        return tuple(dict.fromkeys(value)) if isinstance(value, list | tuple) else (value,)

    @property
    def each_bits(self) -> list[Bits]:
        """``bits``, parsed; raises :class:`OptionError`."""
        return [Bits.parse(text) for text in self.bits]


def make_study(given: Mapping[str, Any]) -> Study:
    """Validate a study; a missing ``methods`` or ``task`` is said in the user's words."""
    for key in ("methods", "task"):
        if not given.get(key):
            raise OptionError(f"no {key} given", f"Give --{key}, or a study file with {key} = [...]; "
                              f"see: harness list {'methods' if key == 'methods' else 'tasks'}")
    return resolve(Study, given, "study")


def read_study(path: Path) -> dict[str, Any]:
    """The keys of a study file, not yet validated (the command line may add to them)."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"cannot read study file {path}: {error.strerror}",
                          "Give the path of a TOML file with keys like those of harness run --help") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"study file {path} is not TOML: {error}", "See the README's section on study files"
                          ) from None
