"""The quantizer of a weight whose integers were chosen one by one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from harness import Partition, QuantizationError, Quantizer


class Stitched(Quantizer):
    """``scale * integers``: stands for one weight, whatever rounding to nearest would give.

    ``integers`` has the weight's shape; ``scale`` and ``bits`` are ``(slots,)``.
    """

    estimator = "none"
    integers: Tensor
    scale: Tensor

    def __init__(self, partition: Partition, bits: Tensor, integers: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.partition, self.bits = partition, [int(b) for b in bits.tolist()]
        self.register_buffer("integers", integers.to(torch.int8))
        self.register_buffer("scale", scale.float())

    def quantize(self, tensor: Tensor) -> Tensor:
        """The stored weight; raises :class:`harness.QuantizationError` for a tensor of another shape."""
        if tensor.shape != self.integers.shape:
            raise QuantizationError(
                f"a stitched quantizer holds a weight of shape {tuple(self.integers.shape)} "
                f"and cannot quantize a tensor of shape {tuple(tensor.shape)}",
                "Run the search bitsplit again after changing the layer")
        return self.integers.to(tensor.dtype) * self.partition.spread(self.scale)

    def describe(self) -> dict[str, Any]:
        same = len(set(self.bits)) == 1
        return {"quantizer": "bit-split symmetric", "bits": self.bits[0] if same else self.bits,
                "granularity": self.partition.granularity, "groups": self.partition.slots, "dynamic": False}
