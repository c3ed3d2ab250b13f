"""The loss ``bitops``: the penalty of eqs. 13 and 14 on BitOPs over a budget."""

from __future__ import annotations

from torch import Tensor

from harness import Context, Loss, OptionError, Step

from .bitops import BitOperations, bit_operations
from .options import BitOpsOptions

GIGA = 1e9

#: MACs of DeiT-T at 224 pixels, the smallest model of the paper.
SMALLEST_MODEL = 1.2537e9


class BitOpsPenalty(Loss[BitOpsOptions]):
    """``[H(C - c)]^2`` with ``H(z) = max(z, 0)``, C and c in giga-BitOPs of one sample (eqs. 13 and 14).

    Its gradient reaches the float bit-widths of ``switchable`` quantizers. A model smaller than the paper's is
    penalised as if it had DeiT-T's MACs: ``eta`` weighs absolute BitOPs, and theirs would be next to none.
    """

    operations: BitOperations
    budget: float
    unit: float

    def prepare(self, context: Context) -> None:
        """Raises :class:`harness.OptionError` for a budget that no bit-widths can keep.

        Where no bits are learned, the run's own BitOPs are no budget that anyone asked for.
        """
        self.operations = bit_operations(context)
        self.budget = budget_of(self.operations, context, self.options.budget)
        self.unit = self.options.unit or GIGA * min(1.0, self.operations.macs / SMALLEST_MODEL)
        least = self.operations.least()
        asked = self.options.budget is not None or self.operations.learned
        if asked and least > self.budget * (1 + 1e-9):
            raise OptionError(f"a budget of {self.budget / GIGA:.6g} giga-BitOPs cannot be kept: the fewest bits "
                              f"possible here cost {least / GIGA:.6g}",
                              "Raise the budget, let more bit-widths be learned, or lower the smallest (bits.low)")

    def forward(self, step: Step) -> Tensor:
        excess = (self.operations() - self.budget) / self.unit
        return excess.clamp(min=0).square().float()


def budget_of(operations: BitOperations, context: Context, given: float | None) -> float:
    """c in BitOPs: ``given`` (giga), or what the model costs uniformly at the run's bits (section 4.1)."""
    return operations.uniform(context.bits) if given is None else given * GIGA
