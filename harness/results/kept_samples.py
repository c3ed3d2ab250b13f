"""The samples of a record as its file has them."""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PlainSerializer, PlainValidator, model_validator

from .samples import Encoding, PerSample, metric_of


class KeptSamples(BaseModel):
    """A :class:`~.samples.PerSample` with its bytes as base64 in ``data``. Refuses what does not hold what it says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: NonNegativeInt
    encoding: Encoding
    data: str
    statistic: str = "mean"

    @property
    def samples(self) -> PerSample:
        """The samples. Raises :class:`binascii.Error` for data that are not base64."""
        return PerSample(self.n, self.encoding, base64.b64decode(self.data, validate=True), self.statistic)

    @model_validator(mode="after")
    def _complete(self) -> KeptSamples:
        metric = metric_of(self.statistic)
        try:
            samples = self.samples
        except binascii.Error as error:
            raise ValueError(f"per-sample data are not base64: {error}") from None
        if (self.encoding == "zlib") != metric.ragged:
            raise ValueError(f"per-sample data of {self.statistic} are not kept as {self.encoding}")
        if metric.ragged:
            _check_arrays(samples)
            return self
        each = (self.n + 7) // 8 if self.encoding == "bits" else 4 * self.n
        expected = each * len(metric.columns)
        if len(samples.raw) != expected:
            raise ValueError(f"{len(samples.raw)} bytes of per-sample data, {expected} expected for {self.n} samples")
        return self


def _check_arrays(samples: PerSample) -> None:
    names = samples.metric.columns
    try:
        rows = len(samples.columns()[names[0]])
    except (EOFError, TypeError, ValueError, zlib.error) as error:
        raise ValueError(f"per-sample data do not hold {', '.join(names)}: {error}") from None
    if rows != samples.n:
        raise ValueError(f"{rows} samples in the per-sample data, {samples.n} expected")


def _read(given: Any) -> PerSample:
    return given if isinstance(given, PerSample) else KeptSamples.model_validate(given).samples


def _written(samples: PerSample) -> dict[str, Any]:
    """A mean, which is what older records have, is not said; so they keep their bytes."""
    data = base64.b64encode(samples.raw).decode("ascii")
    statistic = {} if samples.statistic == "mean" else {"statistic": samples.statistic}
    return {"n": samples.n, "encoding": samples.encoding, "data": data, **statistic}


#: A record's field of samples.
PerSampleField = Annotated[PerSample, PlainValidator(_read), PlainSerializer(_written)]
