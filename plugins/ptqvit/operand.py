"""One operand of an operation: its quantizer, and the scales that are candidates for it."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from harness import Identity, MinMax, Quantizer, Uniform


class Operand:
    """Quantizes with ``factor`` times the scale that covers the full range (Delta_0 of the paper).

    ``searched`` is false where the site stays in full precision; then every factor is the identity.
    Creating it sets the quantizer to the full range of ``tensors``.
    """

    def __init__(self, quantizer: Quantizer, tensors: Iterable[Tensor]) -> None:
        self.quantizer = quantizer
        self.searched = not isinstance(quantizer, Identity)
        self.slots = 1
        if isinstance(quantizer, Uniform):
            self.slots = quantizer.partition.slots
            observer = MinMax(quantizer.partition)
            for tensor in tensors:
                observer.observe(tensor)
            quantizer.set_range(*observer.range())
            self.full_range = quantizer.scale.detach().clone()

    def set(self, factor: float) -> None:
        """Leave the quantizer at this candidate."""
        if isinstance(self.quantizer, Uniform):
            self.quantizer.scale.copy_(self.full_range * factor)

    def quantized(self, tensor: Tensor, factor: float) -> Tensor:
        """``tensor`` under a candidate; a new tensor where the operand is searched."""
        self.set(factor)
        return self.quantizer.quantize(tensor)
