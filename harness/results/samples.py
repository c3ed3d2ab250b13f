"""What a metric needs of each sample, kept compactly: bits, 32-bit floats, or compressed arrays."""

from __future__ import annotations

import base64
import binascii
import io
import zlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    NonNegativeInt,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from .statistics.weighted import WEIGHTED, WeightedMetric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[Any]

#: As tasks give them: one number a sample for the metric ``mean``, else the columns of the metric by name.
Given = Sequence[float] | Mapping[str, Any]


class PerSample(BaseModel):
    """The columns that the metric ``statistic`` is computed from (:data:`.weighted.WEIGHTED`), of ``n`` samples.

    In evaluation order, in base64, column after column. ``encoding`` ``bits``: one bit a sample, first sample in the
    highest bit of the first byte, the last byte filled with zeros. ``float32``: little-endian. ``zlib``: each
    column as an ``.npy`` file, all in one zlib stream, where they are more than one number a sample.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: NonNegativeInt
    encoding: Literal["bits", "float32", "zlib"]
    data: str
    statistic: str = "mean"

    @classmethod
    def pack(cls, given: Given, statistic: str = "mean") -> PerSample | None:
        """``given`` packed; ``None`` where there is nothing.

        Raises :class:`ValueError` for NaN and infinity, an unknown statistic, and columns that are not the statistic's.
        """
        import numpy as np

        metric = _metric(statistic)
        columns = _arrays(given, metric)
        n = len(columns[0])
        if n == 0:
            return None
        if metric.ragged:
            stream = io.BytesIO()
            for column in columns:
                np.save(stream, column, allow_pickle=False)
            return cls(n=n, encoding="zlib", data=_text(zlib.compress(stream.getvalue(), 9)), statistic=statistic)
        if all(np.isin(column, (0, 1)).all() for column in columns):
            raw = b"".join(np.packbits(column.astype(bool)).tobytes() for column in columns)
            return cls(n=n, encoding="bits", data=_text(raw), statistic=statistic)
        raw = b"".join(column.astype("<f4").tobytes() for column in columns)
        return cls(n=n, encoding="float32", data=_text(raw), statistic=statistic)

    @property
    def metric(self) -> WeightedMetric:
        """The metric that is computed from these samples."""
        return _metric(self.statistic)

    def read_as(self, statistic: str) -> PerSample | None:
        """The same samples for another metric; ``None`` where that needs other columns."""
        if statistic not in WEIGHTED or WEIGHTED[statistic].columns != self.metric.columns:
            return None
        return PerSample(n=self.n, encoding=self.encoding, data=self.data, statistic=statistic)

    def columns(self) -> dict[str, Array]:
        """Name of a column -> its array, whose first axis is the samples'."""
        import numpy as np

        raw = base64.b64decode(self.data)
        names = self.metric.columns
        if self.encoding == "zlib":
            stream = io.BytesIO(zlib.decompress(raw))
            return {name: np.load(stream, allow_pickle=False) for name in names}
        if self.encoding == "bits":
            bits = np.unpackbits(np.frombuffer(raw, np.uint8).reshape(len(names), -1), axis=1, count=self.n)
            return dict(zip(names, bits.astype(np.float64), strict=True))
        floats = np.frombuffer(raw, "<f4").reshape(len(names), self.n)
        return dict(zip(names, floats.astype(np.float64), strict=True))

    def unpack(self) -> NDArray[np.float64]:
        """One value a sample, shape ``(n,)``, whose mean is the metric; :class:`ValueError` for another metric."""
        values = self.metric.values_of(self.columns())
        if values is None:
            raise ValueError(f"{self.statistic} is not the mean of one value a sample")
        return values

    @cached_property
    def words(self) -> NDArray[np.uint64] | None:
        """The values of :meth:`unpack` as bits, 64 to a word, filled with zeros; ``None`` if they are not 0 or 1."""
        import numpy as np

        if not self.metric.values:
            return None
        if self.encoding == "bits" and len(self.metric.columns) == 1:
            raw = base64.b64decode(self.data)
        else:
            values = self.unpack()
            if not np.isin(values, (0, 1)).all():
                return None
            raw = np.packbits(values.astype(bool)).tobytes()
        return np.frombuffer(raw + bytes(-len(raw) % 8), np.uint64)

    @cached_property
    def count(self) -> int:
        """How many bits of :attr:`words` are 1."""
        import numpy as np

        return 0 if self.words is None else int(np.bitwise_count(self.words).sum(dtype=np.int64))

    @field_validator("statistic")
    @classmethod
    def _known(cls, statistic: str) -> str:
        return _metric(statistic).name

    @model_validator(mode="after")
    def _complete(self) -> PerSample:
        try:
            raw = base64.b64decode(self.data, validate=True)
        except binascii.Error as error:
            raise ValueError(f"per-sample data are not base64: {error}") from None
        if (self.encoding == "zlib") != self.metric.ragged:
            raise ValueError(f"per-sample data of {self.statistic} are not kept as {self.encoding}")
        if self.metric.ragged:
            self._check_arrays()
            return self
        each = (self.n + 7) // 8 if self.encoding == "bits" else 4 * self.n
        expected = each * len(self.metric.columns)
        if len(raw) != expected:
            raise ValueError(f"{len(raw)} bytes of per-sample data, {expected} expected for {self.n} samples")
        return self

    def _check_arrays(self) -> None:
        try:
            rows = len(self.columns()[self.metric.columns[0]])
        except (EOFError, TypeError, ValueError, zlib.error) as error:
            raise ValueError(f"per-sample data do not hold {', '.join(self.metric.columns)}: {error}") from None
        if rows != self.n:
            raise ValueError(f"{rows} samples in the per-sample data, {self.n} expected")

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A mean, which is what older records have, is not said; so they keep their bytes."""
        data: dict[str, Any] = handler(self)
        if self.statistic == "mean":
            data.pop("statistic", None)
        return data


def _metric(name: str) -> WeightedMetric:
    if name not in WEIGHTED:
        raise ValueError(f"unknown per-sample statistic {name!r} (known: {', '.join(WEIGHTED)})")
    return WEIGHTED[name]


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


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
