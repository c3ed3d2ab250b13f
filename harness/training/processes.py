"""Several processes that train one model together, each on its share of every batch (data parallel).

They are started by ``torchrun`` or ``accelerate launch``; communication is Accelerate's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn

from ..errors import OptionError
from .views import View


class Processes:
    """This process alone. ``rank`` 0 is the one that writes and speaks; ``count`` says how many there are."""

    rank = 0
    count = 1

    @property
    def speaks(self) -> bool:
        """Whether this process writes records and talks to the user."""
        return self.rank == 0

    def device(self, asked: str) -> str:
        """The device of this process."""
        return asked

    def share(self, views: Sequence[View]) -> Sequence[View]:
        """This process's part of a batch; all parts are of one size."""
        return views

    def average(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its mean over all processes."""

    def mean(self, value: float) -> float:
        """The mean of a number over all processes."""
        return value

    def told(self, value: Any) -> Any:
        """What the first process says, at every process."""
        return value


class Parallel(Processes):
    """One of several processes. Raises :class:`harness.OptionError` where Accelerate is not installed."""

    def __init__(self, device: str) -> None:
        try:
            from accelerate import PartialState
        except ImportError:
            raise OptionError("several processes were started, but Accelerate is not installed",
                              "pip install 'quantization-harness[distributed]', or start one process") from None
        self._state = PartialState(cpu=not device.startswith("cuda"))
        self.rank, self.count = self._state.process_index, self._state.num_processes

    def device(self, asked: str) -> str:
        return str(self._state.device) if asked == "cuda" else asked

    def share(self, views: Sequence[View]) -> Sequence[View]:
        size = len(views) // self.count
        if not size:
            raise OptionError(f"a batch of {len(views)} cannot be shared by {self.count} processes",
                              "Start fewer processes, or raise METHOD.training.batch_size")
        return views[self.rank * size:(self.rank + 1) * size]

    def average(self, parameters: Iterable[nn.Parameter]) -> None:
        from accelerate.utils import reduce

        trained = [parameter for parameter in parameters if parameter.requires_grad]
        if not trained:
            return
        # One message for all: a parameter that no sample of this process reached has a gradient of zero.
        flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in trained])
        flat = reduce(flat, "mean")
        for parameter, gradient in zip(trained, flat.split([p.numel() for p in trained]), strict=True):
            parameter.grad = gradient.view_as(parameter).clone()

    def mean(self, value: float) -> float:
        from accelerate.utils import reduce

        return float(reduce(torch.tensor(value, dtype=torch.float64, device=self._state.device), "mean"))

    def told(self, value: Any) -> Any:
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([value])[0]


def processes(device: str) -> Processes:
    """All processes that were started together with this one; on this device each."""
    return Parallel(device) if int(os.environ.get("WORLD_SIZE", "1")) > 1 else Processes()
