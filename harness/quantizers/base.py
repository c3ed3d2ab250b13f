"""The base of all quantizers: a module that maps a tensor to its quantized self."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

from torch import Tensor, nn


class Quantizer(nn.Module, ABC):
    """Maps a tensor to a tensor of the same shape that takes at most ``2**bits`` values per slot.

    An expanded operand takes sums of such values (see :meth:`describe`). Subclasses write :meth:`quantize` and
    :meth:`describe`. ``enabled = False`` makes any quantizer the identity for a while (see
    :meth:`harness.InstrumentedModel.full_precision`).

    ``estimator`` declares what stands for the gradient of rounding, to the tensor: ``clipped``, 1 between the lowest
    and the highest level and 0 beyond; ``straight_through``, 1 everywhere; ``slope``, the quantizer's own slope, seen
    over a few steps; ``none``, no gradient. ``idempotent``: what it gives, it gives back unchanged. Both are checked
    by ``harness check``.
    """

    estimator: ClassVar[Literal["clipped", "straight_through", "slope", "none"]] = "clipped"
    idempotent: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.enabled = True

    def forward(self, tensor: Tensor) -> Tensor:
        # An empty tensor (the regions of a picture without objects) has no scale to learn from.
        return self.quantize(tensor) if self.enabled and tensor.numel() else tensor

    @abstractmethod
    def quantize(self, tensor: Tensor) -> Tensor:
        """``tensor`` quantized and mapped back, same shape."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What a record's coverage says, and costs are counted from.

        ``quantizer``: its name; ``bits``: a number, or a list per slot; ``granularity``: ``tensor``, ``none``,
        ``head``, ``module``, ``module_head``, anything with "row" in it (rows), any other word (channels);
        ``groups``: number of slots, 0 where every channel or row has its own; ``dynamic``: chosen per input.

        A quantizer whose output stands for sums of several real operands adds ``expansion`` (> 1): how many input
        channels the operation really has for each plain one. Split channels: ``(I + n) / I``. Costs grow by it.
        """

    def parameter_group(self, name: str) -> str:
        """The group in which training puts the quantizer's parameter ``name``; empty: it is not trained.

        ``scales``; a quantizer with learned bits or assignments names more (see :class:`harness.Group`).
        """
        return "scales"

    @property
    def mean_bits(self) -> float:
        """Bits of an element, averaged over slots; 32 for full precision."""
        bits = self.describe()["bits"]
        return sum(bits) / len(bits) if isinstance(bits, list) else float(bits)


class Identity(Quantizer):
    """Full precision: the tensor itself."""

    def quantize(self, tensor: Tensor) -> Tensor:
        return tensor

    def describe(self) -> dict[str, Any]:
        return {"quantizer": "identity", "bits": 32, "granularity": "none", "groups": 0, "dynamic": False}
