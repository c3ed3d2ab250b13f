"""One number a sample, kept compactly: a bit where all are 0 or 1, else 32-bit floats."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, NonNegativeInt, model_validator

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


class PerSample(BaseModel):
    """``n`` numbers in evaluation order, in base64.

    ``encoding`` ``bits``: one bit a sample, first sample in the highest bit of the first byte, the last
    byte filled with zeros. ``float32``: little-endian.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: NonNegativeInt
    encoding: Literal["bits", "float32"]
    data: str

    @classmethod
    def pack(cls, values: Sequence[float] | Array) -> PerSample | None:
        """``values`` packed; ``None`` where there are none. Raises :class:`ValueError` for NaN and infinity."""
        import numpy as np

        array = np.asarray(values, dtype=np.float64).ravel()
        if array.size == 0:
            return None
        if not np.isfinite(array).all():
            raise ValueError("a per-sample value is not finite")
        if np.isin(array, (0.0, 1.0)).all():
            return cls(n=array.size, encoding="bits", data=_text(np.packbits(array.astype(bool)).tobytes()))
        return cls(n=array.size, encoding="float32", data=_text(array.astype("<f4").tobytes()))

    def unpack(self) -> Array:
        """The numbers, shape ``(n,)``."""
        import numpy as np

        raw = base64.b64decode(self.data)
        if self.encoding == "bits":
            return np.unpackbits(np.frombuffer(raw, np.uint8), count=self.n).astype(np.float64)
        return np.frombuffer(raw, "<f4").astype(np.float64)

    @model_validator(mode="after")
    def _complete(self) -> PerSample:
        try:
            size = len(base64.b64decode(self.data, validate=True))
        except binascii.Error as error:
            raise ValueError(f"per-sample data are not base64: {error}") from None
        expected = (self.n + 7) // 8 if self.encoding == "bits" else 4 * self.n
        if size != expected:
            raise ValueError(f"{size} bytes of per-sample data, {expected} expected for {self.n} samples")
        return self


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
