"""A calibration set of noise, and a :class:`harness.Context` around the tiny transformer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from ..engine.calibration import Calibration
from ..method import Context
from ..model.instrument import instrument
from ..registry import registry
from ..request import Bits
from .tiny_vit import SIZE, TINY_ADAPTERS, tiny_vit


@dataclass
class NoiseBatch:
    """Pictures of noise, (batch, 3, 16, 16); nothing to compare with."""

    inputs: Tensor
    targets: None = None


class Noise:
    """Smooth random pictures, each a function of its index alone."""

    def __init__(self, size: int, first: int = 0) -> None:
        self.first = first
        self.ids: Sequence[str] = [f"noise-{index}" for index in range(first, first + size)]

    def batches(self, indices: Sequence[int], size: int) -> Iterator[NoiseBatch]:
        """The pictures at ``indices``, ``size`` at a time."""
        for start in range(0, len(indices), size):
            yield NoiseBatch(torch.stack([self._picture(index) for index in indices[start:start + size]]))

    def _picture(self, index: int) -> Tensor:
        generator = torch.Generator().manual_seed(1000 + self.first + index)
        coarse = torch.randn(1, 3, SIZE // 4, SIZE // 4, generator=generator)
        return torch.nn.functional.interpolate(coarse, size=SIZE, mode="bilinear")[0]


def divergence(reference: Tensor, outputs: Tensor) -> Tensor:
    """Mean ``KL(softmax(reference) || softmax(outputs))`` over the batch."""
    expected, given = (torch.log_softmax(logits.double(), dim=-1) for logits in (reference, outputs))
    return (expected.exp() * (expected - given)).sum(-1).mean()


def _silent(what: str, total: int) -> AbstractContextManager[Callable[[], None]]:
    return nullcontext(lambda: None)


def toy_context(bits: Bits, seed: int = 0, samples: int = 16) -> Context:
    """An instrumented tiny transformer with a calibration set, ready for ``place`` and ``calibrate``."""
    pool = Noise(samples)
    calibration = Calibration(pool, list(range(samples)), lambda model, inputs: model(inputs), batch_size=4)
    return Context(instrument(tiny_vit(), TINY_ADAPTERS), calibration, bits, registry(), divergence,
                   torch.Generator().manual_seed(seed), _silent)
