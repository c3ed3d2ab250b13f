"""What a metric would be on other draws of the samples: the bootstrap, with the same draws for every record.

Because all records of as many samples are resampled alike, a paired difference is a difference of replicates: each
record is resampled once, however many it is compared with.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from ..samples import PerSample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RESAMPLES = 1000
SEED = 0
#: Draws kept at a time; bounds the memory.
_DRAWS = 2_000_000
#: Records whose replicates are kept: what a section may have at one bit-width.
_KEPT = 128


def weights(samples: int, resamples: int = RESAMPLES) -> Iterator[NDArray[np.int64]]:
    """How often each sample is in each resample, in parts of shape (samples, some resamples); always the same."""
    import numpy as np

    generator = np.random.Generator(np.random.PCG64(SEED))
    step = max(1, min(250, _DRAWS // samples))
    for start in range(0, resamples, step):
        width = min(step, resamples - start)
        drawn = generator.integers(0, samples, (width, samples))
        places = drawn * width + np.arange(width)[:, None]
        yield np.bincount(places.ravel(), minlength=samples * width).reshape(samples, width)


@lru_cache(maxsize=_KEPT)
def replicates(samples: PerSample) -> Floats:
    """The metric on :data:`RESAMPLES` resamples, not to be changed."""
    import numpy as np

    columns = samples.columns()
    found = np.concatenate([samples.metric(columns, part) for part in weights(samples.n)])
    found.flags.writeable = False
    return found


def estimate(samples: PerSample) -> float:
    """The metric of the samples as they are, in parts of 1."""
    packed = samples.packed()
    return _estimate(samples) if packed is None else int.from_bytes(packed).bit_count() / samples.n


@lru_cache(maxsize=_KEPT)
def _estimate(samples: PerSample) -> float:
    import numpy as np

    return float(samples.metric(samples.columns(), np.ones((samples.n, 1), np.int64))[0])
