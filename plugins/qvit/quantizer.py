"""The quantizer of Q-ViT: learned bit-widths, and a learned scale for every bit-width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from harness import Partition, QuantizationError, Quantizer, fake_quantize, initial_scale, integer_limits, round_ste

from .partitions import owners

Scheme = Literal["symmetric", "unsigned"]

#: Scales are kept at least this large (official code).
SMALLEST_SCALE = 1e-4

#: A scale's start is sought on so many values: seven bit-widths on all of them take minutes in a full-size model.
MOST_VALUES = 2**18


class Switchable(Quantizer):
    """``x_hat = a_b * round(clip((x - o_b) / a_b, low, high)) + o_b``, ``b = round(clip(float_bits))``: eqs. 7 and 8.

    ``float_bits`` has shape ``(slots,)``, one of each slot of ``partition``; its gradient comes through the limits and
    rounding passes it on. ``scales`` has shape ``(widths, scale slots)``: a row for each bit-width from ``low`` to
    ``high`` bits (switchable scale), or a single one. Only the row of a slot's present bits takes part and gets a
    gradient. ``offsets`` (or ``None``) is shaped alike.
    """

    low: int
    high: int
    learns: bool
    owner: Tensor
    offsets: nn.Parameter | None

    def __init__(self, partition: Partition, scale_partition: Partition, bits: int, scheme: Scheme = "symmetric", *,
                 learn: bool = True, switchable: bool = True, offset: bool = False, low: int = 2, high: int = 8
                 ) -> None:
        super().__init__()
        if (learn or switchable) and not low <= bits <= high:
            raise QuantizationError(f"{bits} bits lie outside of the bit-widths {low} to {high} that are learned",
                                    "Choose bits in that range, or low and high around them")
        if scheme == "symmetric" and bits < 2:
            raise QuantizationError("1 bit has no positive level in the symmetric scheme", "Use 2 bits or more")
        self.partition, self.scale_partition, self.scheme = partition, scale_partition, scheme
        self.learns, self.switchable, self.low, self.high = learn, switchable, low, high
        self.widths: Sequence[int] = range(low, high + 1) if switchable else (bits,)
        shape = len(self.widths), scale_partition.slots
        self.float_bits = nn.Parameter(torch.full((partition.slots,), float(bits)), requires_grad=learn)
        self.scales = nn.Parameter(torch.ones(shape))
        self.register_parameter("offsets", nn.Parameter(torch.zeros(shape)) if offset else None)
        self.register_buffer("owner", owners(partition, scale_partition), persistent=False)

    def parameter_group(self, name: str) -> str:
        """``bits`` (where they are learned) and ``scales``."""
        if name == "float_bits":
            return "bits" if self.learns else ""
        return "scales"

    @property
    def bits(self) -> Tensor:
        """Eq. 7: the bits of each slot, whole numbers, ``(slots,)``; the gradient goes to ``float_bits`` unchanged."""
        if self.learns:
            # A projection, as in the official code: a clamp in the graph would stop the gradient that could lead back.
            # Through .data, because a graph that still waits for its backward may hold the same parameter.
            self.float_bits.data.clamp_(self.low, self.high)
        return round_ste(self.float_bits)

    @property
    def scale(self) -> Tensor:
        """The scale of each slot at its present bits, ``(slots,)``."""
        return self._chosen(self.scales, self.bits)

    @property
    def offset(self) -> Tensor | None:
        """The offset of each slot at its present bits, ``(slots,)``."""
        return None if self.offsets is None else self._chosen(self.offsets, self.bits)

    def limits(self) -> tuple[Tensor, Tensor]:
        """Smallest and largest integer of each slot, ``(slots,)``; functions of the bits."""
        return integer_limits(self.bits, self.scheme)

    def _chosen(self, table: Tensor, bits: Tensor) -> Tensor:
        return table[bits.detach().long() - self.low if self.switchable else 0, self.owner]

    @torch.no_grad()
    def set_bits(self, slots: Sequence[int], bits: int) -> None:
        """Set the bits of some slots."""
        self.float_bits[list(slots)] = float(bits)

    @torch.no_grad()
    def initialise(self, tensor: Tensor, rule: str) -> None:
        """Start the scales (and offsets) of every bit-width from ``tensor``; see :func:`harness.initial_scale`."""
        rows = thinned(self.scale_partition.gather(tensor))
        each = Partition.along(torch.arange(len(rows)), -2, "row")
        for row, bits in enumerate(self.widths):
            scale, offset = initial_scale(rows, rule, bits, self.scheme, each, self.offsets is not None)
            self.scales[row] = scale.clamp(min=SMALLEST_SCALE)
            if self.offsets is not None and offset is not None:
                self.offsets[row] = offset

    def quantize(self, tensor: Tensor) -> Tensor:
        self.scales.data.clamp_(min=SMALLEST_SCALE)
        bits = self.bits
        low, high = integer_limits(bits, self.scheme)
        offset = None if self.offsets is None else self._chosen(self.offsets, bits)
        factor = (high.detach() * (tensor.numel() / self.partition.slots)).rsqrt()
        return fake_quantize(tensor, self._chosen(self.scales, bits), low, high, self.partition, offset=offset,
                             gradient_factor=factor)

    def describe(self) -> dict[str, Any]:
        bits = [int(b) for b in self.bits.tolist()]
        same = len(set(bits)) == 1
        name = f"switchable {self.scheme}" + (" with offset" if self.offsets is not None else "")
        return {"quantizer": name, "bits": bits[0] if same else bits, "granularity": self.partition.granularity,
                "groups": self.partition.slots, "dynamic": False}


def thinned(rows: Tensor) -> Tensor:
    """At most :data:`MOST_VALUES` columns of ``rows``, drawn evenly and always the same for one shape."""
    if rows.shape[1] <= MOST_VALUES:
        return rows
    generator = torch.Generator().manual_seed(0)
    return rows[:, torch.randint(rows.shape[1], (MOST_VALUES,), generator=generator).to(rows.device)]
