"""Pictures made from records. This module is light: Altair is imported when a chart is built.

>>> for chart in CHARTS["accuracy-bops"].build(records):
...     save(chart.name, chart.to_dict())       # Vega-Lite, with the data inside
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from types import MappingProxyType
from typing import Any, Protocol

from ...errors import PluginError
from ...results.entry import Measured
from ...results.tables.row_labels import Ablations
from ...results.tables.sections import Scope


@dataclass(frozen=True)
class NamedChart:
    """One picture. ``name`` is unique among all charts of a set of records, and good as a file name.

    ``scope``: what all of its records share; ``identities`` of the records drawn. ``chart``: an Altair chart.
    """

    name: str
    kind: str
    title: str
    scope: Scope
    identities: tuple[str, ...]
    chart: Any = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The Vega-Lite specification, with its data inside; equal records give equal ones."""
        made: dict[str, Any] = self.chart.to_dict()
        return made


class Build(Protocol):
    """Makes the charts of one kind, in a fixed order; none where the records have nothing to draw.

    ``convention``: how bit-operations and sizes are counted. ``ablations``: the names by which rows call options.
    """

    def __call__(self, records: Iterable[Measured], *, convention: str = "plain",
                 ablations: Ablations = MappingProxyType({})) -> Sequence[NamedChart]: ...


@dataclass(frozen=True)
class ChartKind:
    """One kind of chart. ``needs``: what a record must have to be drawn, and how to make such records."""

    name: str
    summary: str
    needs: str
    factory: str

    @cached_property
    def build(self) -> Build:
        """The function that makes the charts, imported when it is used.

        Raises :class:`harness.PluginError` where Altair is not installed.
        """
        module, _, attribute = self.factory.partition(":")
        try:
            made: Build = getattr(import_module(module, __name__), attribute)
        except ImportError as error:
            raise PluginError(f"charts need altair, which cannot be imported: {error}",
                              "Install it: pip install 'quantization-harness[report]'") from error
        return made


_MEASURED = "Make some: harness run --methods minmax --task TASK --bits 4/4,8/8"
_KINDS = (
    ChartKind("accuracy-bops", "accuracy against bit-operations, with the Pareto front", _MEASURED,
              ".costs:against_bops"),
    ChartKind("accuracy-size", "accuracy against the model's size, with the Pareto front", _MEASURED,
              ".costs:against_size"),
    ChartKind("accuracy-time", "accuracy against the time of calibration and training, with the Pareto front",
              _MEASURED, ".costs:against_time"),
    ChartKind("accuracy-bits", "accuracy against bit-width, with the deviation over seeds", _MEASURED,
              ".by_bits:build"),
    ChartKind("allocation", "bit-widths that a method chose for each layer and head",
              "Run a method that chooses bit-widths: qvit, ptqvit with mixed_precision, or any with mixed=haq",
              ".allocation:build"),
    ChartKind("sensitivity", "accuracy when one part of the model is left out of quantization, or quantized alone",
              "Run the ablations that leave out or quantize one part: "
              "harness run --methods 'variation:baseline,variation:except ffn,variation:only ffn' --task imagenet",
              ".sensitivity:build"),
    ChartKind("training", "the loss during training", "Run a method that trains: harness run --methods lsq "
              "--task imagenet --bits 4/4 --budget 1ep", ".training:build"),
    ChartKind("oscillation", "share of the weights that oscillate at the end of training",
              "Run the method variation, which follows its weights", ".oscillation:build"),
    ChartKind("weights", "where the trained weights lie in their quantization bins",
              "Run the method variation, which keeps histograms of its weights", ".weights:build"),
)

#: Every kind of chart by its name.
CHARTS: Mapping[str, ChartKind] = MappingProxyType({kind.name: kind for kind in _KINDS})
