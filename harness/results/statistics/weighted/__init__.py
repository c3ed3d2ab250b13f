"""Metrics as functions of how often each sample counts.

A record keeps of every sample what its main metric needs of it (*columns*), and the metric's name. From these the
metric can be computed anew with any weight a sample: with weight 1 it is the recorded figure, with random whole
weights it is the metric of a resample. So every metric has paired intervals, not only those that are means.

Light: the functions, which need numpy, are imported when they are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Columns = Mapping[str, Array]


@dataclass(frozen=True)
class WeightedMetric:
    """A metric of weighted samples, in parts of 1.

    ``columns``: what it needs of the samples; the first has one row a sample. ``ragged``: whether they are more than
    one number a sample each. ``function``: where its code is. ``values``: where the code is that gives each sample's
    value, for a metric that is their mean.
    """

    name: str
    columns: tuple[str, ...]
    function: str
    values: str = ""
    ragged: bool = False

    def __call__(self, columns: Columns, weights: Array) -> NDArray[np.float64]:
        """The metric for each column of ``weights`` (samples, resamples), which are whole numbers >= 0."""
        result: NDArray[np.float64] = _imported(self.function)(columns, weights)
        return result

    def values_of(self, columns: Columns) -> NDArray[np.float64] | None:
        """One value a sample, whose mean is the metric; ``None`` where it is no mean."""
        return _imported(self.values)(columns) if self.values else None


def _imported(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module, __name__), name)


_BOTH = ("answer", "label")

#: Name -> metric. A task chooses one by its name, see :class:`harness.Scores`.
WEIGHTED: Mapping[str, WeightedMetric] = MappingProxyType({metric.name: metric for metric in (
    WeightedMetric("mean", ("value",), ".counts:mean", ".counts:given"),
    WeightedMetric("accuracy", _BOTH, ".counts:accuracy", ".counts:right"),
    WeightedMetric("f1", _BOTH, ".counts:f1"),
    WeightedMetric("matthews", _BOTH, ".counts:matthews"),
    WeightedMetric("pearson", _BOTH, ".correlation:pearson"),
    WeightedMetric("spearman", _BOTH, ".correlation:spearman"),
    WeightedMetric("average_precision", ("objects", "category", "picture", "hit", "ignored"),
                   ".average_precision:average_precision", ragged=True),
)})
