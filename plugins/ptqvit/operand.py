"""One operand of an operation: its quantizer, and the scales that are candidates for it."""

from __future__ import annotations

from torch import Tensor

from harness import Identity, MinMax, Quantizer, Uniform


class Operand:
    """Quantizes with ``factor`` times the scale that covers the full range (Delta_0 of the paper).

    ``searched`` is false where the site stays in full precision; then every factor is the identity.
    Creating it sets the quantizer to the full range ``bounds``: lower and upper end of each slot.
    """

    def __init__(self, quantizer: Quantizer, bounds: tuple[Tensor, Tensor] | None) -> None:
        self.quantizer = quantizer
        self.searched = not isinstance(quantizer, Identity)
        self.slots = 1
        if isinstance(quantizer, Uniform) and bounds is not None:
            self.slots = quantizer.partition.slots
            quantizer.set_range(*bounds)
            self.full_range = quantizer.scale.detach().clone()

    @classmethod
    def of(cls, quantizer: Quantizer, tensor: Tensor) -> Operand:
        """The operand that is just ``tensor`` (a weight)."""
        if not isinstance(quantizer, Uniform):
            return cls(quantizer, None)
        observer = MinMax(quantizer.partition)
        observer.observe(tensor)
        return cls(quantizer, observer.range())

    def set(self, factor: float) -> None:
        """Leave the quantizer at this candidate."""
        if isinstance(self.quantizer, Uniform):
            self.quantizer.scale.copy_(self.full_range * factor)

    def quantized(self, tensor: Tensor, factor: float) -> Tensor:
        """``tensor`` under a candidate; a new tensor where the operand is searched."""
        self.set(factor)
        return self.quantizer.quantize(tensor)
