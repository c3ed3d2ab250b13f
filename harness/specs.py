"""The small frozen descriptions that plugins return from their hooks.

They carry names, documentation and *where the code is*, never the code: a factory is a string
``"module:attribute"``, relative (``".search:AlternatingSearch"``) to the plugin's package, and is
imported when it is used. Listing, planning and help therefore need no torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from .options import Options

NAME_PATTERN = re.compile(r"[a-z][a-z0-9_-]*")


@dataclass(frozen=True)
class Paper:
    """Where a method comes from."""

    title: str
    authors: str
    venue: str
    year: int
    url: str = ""


@dataclass(frozen=True)
class BitRange:
    """Bit-widths that a component can do, both ends included."""

    low: int = 2
    high: int = 8

    def __contains__(self, bits: object) -> bool:
        return isinstance(bits, int) and self.low <= bits <= self.high

    def __str__(self) -> str:
        return f"{self.low} to {self.high}" if self.low < self.high else str(self.low)


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What every contributed component has: a unique name, a line of help, its code, its options.

    ``kinds``: the kinds of tasks (see :class:`TaskSpec`) that a method, or a part of one, works on; empty for all. A
    run on another is not possible, which ``harness plan`` says before anything runs. ``possible``: the same for what
    depends on options; light code (no torch), ``possible(options, task: TaskSpec, bits: Bits) -> None``, that raises
    :class:`harness.OptionError` for what it cannot do. ``checked_with``: options that ``harness check`` tries it with,
    where its own would take minutes.
    """

    name: str
    summary: str
    factory: str
    options: type[Options] = Options
    kinds: tuple[str, ...] = ()
    possible: str = ""
    checked_with: Mapping[str, Any] = field(default_factory=dict)
    #: Distribution or module that contributed it; stamped by the registry, shown in errors.
    plugin: str = field(default="", compare=False)


@dataclass(frozen=True, kw_only=True)
class QuantizerSpec(Spec):
    """A :class:`harness.Quantizer` class."""


@dataclass(frozen=True, kw_only=True)
class SearchSpec(Spec):
    """A :class:`harness.Search`: sets quantizer parameters, bit-widths or groups. ``trains``: whether it trains."""

    trains: bool = False


@dataclass(frozen=True, kw_only=True)
class LossSpec(Spec):
    """A :class:`harness.Loss`: one term of a training objective.

    ``options`` is a :class:`harness.LossOptions` class; the factory takes the options.
    """


@dataclass(frozen=True, kw_only=True)
class MethodSpec(Spec):
    """A named recipe of a paper.

    ``ablations`` maps the name of each ablation switch (without commas) to the options that turn it on, as
    ``--set`` would give them; ``--methods METHOD:ABLATION`` runs it. ``task_options``: task name -> options that the
    paper uses on it, in place of the defaults. ``embedding_bits``: those that it can give to word embeddings.
    ``kind_bits``: kind of task -> the bits of weights and of activations, where it can do fewer there.
    ``published`` is a data file beside the plugin (relative resource name) with the rows that the paper prints
    (``":published.csv"``, relative to the plugin's package), ``claims`` one with what the paper says of them
    (``":claims.toml"``). ``trains``: whether its runs have a training budget.
    """

    quantizes: str
    paper: Paper | None = None
    weight_bits: BitRange = BitRange()
    activation_bits: BitRange = BitRange()
    embedding_bits: BitRange = BitRange()
    kind_bits: Mapping[str, tuple[BitRange, BitRange]] = field(default_factory=dict)
    calibration_size: int = 32
    ablations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    task_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    published: str = ""
    claims: str = ""
    trains: bool = False


@dataclass(frozen=True, kw_only=True)
class TaskSpec(Spec):
    """A model family with data and a metric.

    ``resolve`` is light code (no torch): it turns a request into a :class:`harness.Resolved` task
    (which scale, model, data and weights, and the fingerprints that enter a run's identity) or raises
    :class:`harness.DataError`: ``resolve(request: TaskRequest) -> Resolved``. ``factory`` is the
    :class:`harness.Task` built from it. ``paper_names``: what papers call a model -> the model's name here.
    ``kind`` is what papers make protocols for (``classification``, ``detection``, ``language``; a method finds it
    in its context), ``calibration_size`` how many samples are drawn for calibration where the user does not say,
    ``trains`` whether it has a training loss, and ``second_derivatives`` whether that can be differentiated twice (what
    is compiled often cannot). ``published`` and ``claims``: as those of :class:`MethodSpec`.
    """

    resolve: str
    metric: str
    models: Mapping[str, tuple[str, ...]]
    data_help: str
    kind: str = "classification"
    calibration_size: int = 32
    trains: bool = False
    second_derivatives: bool = True
    paper_names: Mapping[str, str] = field(default_factory=dict)
    published: str = ""
    claims: str = ""


@dataclass(frozen=True, kw_only=True)
class SuiteSpec(Spec):
    """Several tasks under one name, such as GLUE: ``--task NAME`` runs all, and one table shows them side by side.

    ``columns``: ``"TASK.METRIC"``, in the order of the table. ``averages``: what an average is called -> the columns
    that it is the mean of. A suite has no code and no options.
    """

    columns: tuple[str, ...]
    averages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    factory: str = ""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks, in the order of the columns."""
        return tuple(dict.fromkeys(column.partition(".")[0] for column in self.columns))


@dataclass(frozen=True, kw_only=True)
class AdapterSpec(Spec):
    """How one attention class makes q, k, v and uses the result.

    ``attention`` is the full name of the class (``"timm.layers.attention.Attention"``); the factory
    takes the original module and returns its quantizable twin.
    """

    attention: str


@dataclass(frozen=True, kw_only=True)
class CostSpec(Spec):
    """A convention for counting bit-operations.

    The factory is the convention itself: ``(operations: Sequence[Operation]) -> float``, the BOPs of one
    forward of one sample, from what :func:`harness.trace` saw. It has no options.
    """


SpecType = TypeVar("SpecType", bound=Spec)


def absolute(spec: SpecType, package: str, plugin: str) -> SpecType:
    """``spec`` with every relative factory resolved against ``package`` and its plugin stamped."""
    names = ("factory", "resolve", "possible", "published", "claims")
    changed: dict[str, Any] = {name: package + value for name in names
               if (value := getattr(spec, name, "")).startswith((".", ":"))}
    return replace(spec, plugin=plugin, **changed)
