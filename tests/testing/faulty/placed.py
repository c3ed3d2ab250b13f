"""Quantizers that faulty methods place."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from harness import Site, Uniform


class Lying(Uniform):
    """One bit more than it says."""

    def __init__(self, site: Site, bits: int) -> None:
        super().__init__(site.layout.partition("tensor"), bits + 1)

    def describe(self) -> dict[str, Any]:
        described = super().describe()
        return described | {"bits": described["bits"] - 1}


class Halves(Uniform):
    def quantize(self, tensor: Tensor) -> Tensor:
        return super().quantize(tensor) / 2


class Untold(Uniform):
    def describe(self) -> dict[str, Any]:
        return {"bits": 4}


class Hidden(Uniform):
    """Keeps what was calibrated out of its state."""

    factor = 1.0

    def quantize(self, tensor: Tensor) -> Tensor:
        return super().quantize(tensor * self.factor)


class Sized(Uniform):
    """Knows the size of the tensor that it saw first."""

    seen: tuple[int, ...] = ()

    def quantize(self, tensor: Tensor) -> Tensor:
        self.seen = self.seen or tensor.shape[1:]
        return super().quantize(tensor.reshape(-1, *self.seen))


class Detached(Uniform):
    def quantize(self, tensor: Tensor) -> Tensor:
        return super().quantize(tensor.detach())


class NanForOneToken(Uniform):
    def quantize(self, tensor: Tensor) -> Tensor:
        return super().quantize(tensor) * (torch.nan if tensor.dim() > 2 and tensor.shape[-2] == 1 else 1)


class OneSample(Uniform):
    def quantize(self, tensor: Tensor) -> Tensor:
        return super().quantize(tensor)[:1]


class OtherInDouble(Uniform):
    def quantize(self, tensor: Tensor) -> Tensor:
        return super().quantize(tensor) * (2 if tensor.dtype == torch.float64 else 1)


class Slow(Uniform):
    def quantize(self, tensor: Tensor) -> Tensor:
        return torch.stack([super(Slow, self).quantize(tensor) for _ in range(50)])[0]


class Single(Uniform):
    def quantize(self, tensor: Tensor) -> Tensor:
        return super().quantize(tensor.float()).float()
