"""What thresholds are found from: the range and the histogram of one operand, streamed in two passes."""

from __future__ import annotations

import torch
from torch import Tensor

from harness import QuantizationError


class Profile:
    """Range and mean in a first pass over the values, histogram and mean deviation in a second.

    ``bins`` equal bins over the range; ``symmetric``: over ``[-T, T]`` with T the largest absolute value. A weight is
    one batch, seen twice. Memory: ``bins`` numbers.
    """

    def __init__(self, bins: int, symmetric: bool = False) -> None:
        self.symmetric = symmetric
        self.lower, self.upper, self.count = float("inf"), float("-inf"), 0
        self.counts = torch.zeros(bins, dtype=torch.float64)
        self._sum = self._deviations = 0.0

    def observe_range(self, tensor: Tensor) -> None:
        """First pass: take one batch of any shape."""
        lower, upper = tensor.aminmax()
        self.lower, self.upper = min(self.lower, float(lower)), max(self.upper, float(upper))
        self.count += tensor.numel()
        self._sum += float(tensor.sum(dtype=torch.float64))

    def observe_values(self, tensor: Tensor) -> None:
        """Second pass: take the same batch again."""
        lower, upper = self.ends
        # In float64, where counts are exact; the ends come from float32 and lie inside.
        counts = torch.histc(tensor.double(), len(self.counts), lower, upper)
        self.counts += counts.cpu()
        self._deviations += float((tensor - self.mean).abs().sum(dtype=torch.float64))

    @property
    def reach(self) -> float:
        """Largest absolute value. Raises :class:`harness.QuantizationError` where there was no value."""
        if not self.count:
            raise QuantizationError("no calibration data reached this site",
                                    "Leave the site in full precision, or calibrate with inputs that use it")
        return max(abs(self.lower), abs(self.upper))

    @property
    def ends(self) -> tuple[float, float]:
        """Ends of the histogram."""
        return (-self.reach, self.reach) if self.symmetric else (self.lower, self.upper)

    @property
    def mean(self) -> float:
        """Mean of all values."""
        return self._sum / self.count

    @property
    def mean_deviation(self) -> float:
        """Mean of ``|x - mean|`` (after the second pass)."""
        return self._deviations / self.count

    @property
    def centres(self) -> Tensor:
        """Middle of each bin, float64."""
        lower, upper = self.ends
        width = (upper - lower) / len(self.counts)
        return lower + width * (torch.arange(len(self.counts), dtype=torch.float64) + 0.5)
