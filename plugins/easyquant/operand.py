"""One operand of a product of matrices: what it is in full precision, and what its quantizer sees."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from harness import Uniform, quantize_rows


@dataclass
class Operand:
    """The matrices of one side of ``left @ right^T``, shape ``(groups, rows, inner)``.

    ``reference`` enters the full-precision product and ``given`` is what reaches the quantizer (the two
    differ once earlier layers are quantized). ``slots`` (broadcasts to ``given``) is the slot of each element, ``None``
    for a quantizer with one slot. ``quantizer`` is ``None`` where the operand stays in full precision.
    ``constant`` (groups, rows, 1) is a last column that is never quantized: the bias, beside a
    weight, and the ones that it multiplies, beside an input.
    """

    reference: Tensor
    given: Tensor
    quantizer: Uniform | None
    slots: Tensor | None = None
    constant: Tensor | None = None

    def full(self) -> Tensor:
        """The full-precision matrices, with the constant column."""
        return self._with_constant(self.reference)

    def quantized(self, factor: float = 1.0) -> Tensor:
        """The matrices quantized with the present scales times ``factor``, with the constant column."""
        if self.quantizer is None:
            return self._with_constant(self.given)
        return self._with_constant(quantize_rows(self.quantizer, self.given, self.slots, factor))

    def row_slots(self) -> tuple[Tensor, int]:
        """The slot of each row, ``(groups, rows)``, and how many can be chosen independently.

        Rows of the product are independent of each other, so slots made of whole rows are too. Slots along
        the inner axis all enter every output: they are then scaled together, as one.
        """
        shape = self.given.shape[:2]
        if self.slots is None or self.quantizer is None:
            return self.given.new_zeros(shape, dtype=torch.int64), 1
        slots = torch.broadcast_to(self.slots, self.given.shape)
        if not bool((slots == slots[..., :1]).all()):
            return self.given.new_zeros(shape, dtype=torch.int64), 1
        return slots[..., 0], self.quantizer.partition.slots

    def _with_constant(self, matrices: Tensor) -> Tensor:
        return matrices if self.constant is None else torch.cat((matrices, self.constant), dim=-1)
