"""What a metric needs of each sample, kept compactly: bits, 32-bit floats, or compressed arrays."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from .statistics.weighted import WEIGHTED, WeightedMetric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[Any]

#: As tasks give them: one number a sample for the metric ``mean``, else the columns of the metric by name.
Given = Sequence[float] | Mapping[str, Any]
Encoding = Literal["bits", "float32", "zlib"]


@dataclass(frozen=True, slots=True)
class PerSample:
    """The columns that the metric ``statistic`` is computed from (:data:`.weighted.WEIGHTED`), of ``n`` samples.

    In evaluation order, in ``raw``, column after column. ``encoding`` ``bits``: one bit a sample, first sample in the
    highest bit of the first byte, the last byte filled with zeros. ``float32``: little-endian. ``zlib``: each
    column as an ``.npy`` file, all in one zlib stream, where they are more than one number a sample.

    Light, as tables of many records have many. What comes from a file is checked by :mod:`.kept_samples`.
    """

    n: int
    encoding: Encoding
    raw: bytes
    statistic: str = "mean"

    @classmethod
    def pack(cls, given: Given, statistic: str = "mean") -> PerSample | None:
        """``given`` packed; ``None`` where there is nothing.

        Raises :class:`ValueError` for NaN and infinity, an unknown statistic, and columns that are not the statistic's.
        """
        import numpy as np

        metric = metric_of(statistic)
        columns = _arrays(given, metric)
        n = len(columns[0])
        if n == 0:
            return None
        if metric.ragged:
            stream = io.BytesIO()
            for column in columns:
                np.save(stream, column, allow_pickle=False)
            return cls(n, "zlib", zlib.compress(stream.getvalue(), 9), statistic)
        if all(np.isin(column, (0, 1)).all() for column in columns):
            return cls(n, "bits", b"".join(np.packbits(column.astype(bool)).tobytes() for column in columns), statistic)
        return cls(n, "float32", b"".join(column.astype("<f4").tobytes() for column in columns), statistic)

    @property
    def metric(self) -> WeightedMetric:
        """The metric that is computed from these samples."""
        return metric_of(self.statistic)

    def read_as(self, statistic: str) -> PerSample | None:
        """The same samples for another metric; ``None`` where that needs other columns."""
        if statistic not in WEIGHTED or WEIGHTED[statistic].columns != self.metric.columns:
            return None
        return replace(self, statistic=statistic)

    def columns(self) -> dict[str, Array]:
        """Name of a column -> its array, whose first axis is the samples'."""
        import numpy as np

        names = self.metric.columns
        if self.encoding == "zlib":
            stream = io.BytesIO(zlib.decompress(self.raw))
            return {name: np.load(stream, allow_pickle=False) for name in names}
        if self.encoding == "bits":
            bits = np.unpackbits(np.frombuffer(self.raw, np.uint8).reshape(len(names), -1), axis=1, count=self.n)
            return dict(zip(names, bits.astype(np.float64), strict=True))
        floats = np.frombuffer(self.raw, "<f4").reshape(len(names), self.n)
        return dict(zip(names, floats.astype(np.float64), strict=True))

    def unpack(self) -> NDArray[np.float64]:
        """One value a sample, shape ``(n,)``, whose mean is the metric; :class:`ValueError` for another metric."""
        values = self.metric.values_of(self.columns())
        if values is None:
            raise ValueError(f"{self.statistic} is not the mean of one value a sample")
        return values

    def packed(self) -> bytes | None:
        """The values of :meth:`unpack` in the encoding ``bits``; ``None`` if they are not all 0 or 1."""
        metric = self.metric
        if not metric.values:
            return None
        if self.encoding == "bits" and len(metric.columns) == 1:
            return self.raw
        import numpy as np

        values = self.unpack()
        return np.packbits(values.astype(bool)).tobytes() if np.isin(values, (0, 1)).all() else None


def metric_of(statistic: str) -> WeightedMetric:
    """The metric of that name. Raises :class:`ValueError` for an unknown one."""
    if statistic not in WEIGHTED:
        raise ValueError(f"unknown per-sample statistic {statistic!r} (known: {', '.join(WEIGHTED)})")
    return WEIGHTED[statistic]


def _arrays(given: Given, metric: WeightedMetric) -> list[Array]:
    """The columns in the metric's order."""
    import numpy as np

    named = given if isinstance(given, Mapping) else {metric.columns[0]: np.asarray(given, np.float64).ravel()}
    if named.keys() != set(metric.columns):
        raise ValueError(f"{metric.name} needs the columns {', '.join(metric.columns)}, given: {', '.join(named)}")
    columns = [np.asarray(named[name]) for name in metric.columns]
    if not metric.ragged and {column.shape for column in columns} != {(len(columns[0]),)}:
        raise ValueError(f"the columns of {metric.name} are not all of one number a sample")
    if not all(np.isfinite(column).all() for column in columns):
        raise ValueError("a per-sample value is not finite")
    return columns
