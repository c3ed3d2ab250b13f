"""Which weights oscillate while they are trained, eqs. 11 and 12."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from harness import Context, InstrumentedModel, Monitor, Step

from .bins import Bins, centred, integers, quantized_slots, quantized_weights
from .modules import is_module

#: m of eq. 12 (Nagel et al. 2022), and the frequency above which a weight oscillates (sec. 5.3).
MOMENTUM = 0.01
THRESHOLD = 0.005


class OscillationMonitor(Monitor):
    """How often each weight with uniform bins oscillates; the note says what share does so at the end.

    For each weight it keeps the last integer, the direction of its last change, and the frequency: 7 bytes.
    """

    def prepare(self, context: Context) -> None:
        self._groups: list[tuple[str, ...]] = []
        for number, (path, weight, quantizer) in enumerate(_followed(context.model)):
            role = context.model.sites[path].role
            self._groups.append((role, "modules") if is_module(role) else (role,))
            self.register_buffer(f"integer_{number}", integers(weight, quantizer).to(torch.int16))
            self.register_buffer(f"direction_{number}", torch.zeros_like(weight, dtype=torch.int8))
            self.register_buffer(f"frequency_{number}", torch.zeros(weight.shape, device=weight.device))
            self.register_buffer(f"quantized_{number}", quantizer.partition.spread(quantized_slots(quantizer)))

    def forward(self, step: Step) -> None:
        for number, (_, weight, quantizer) in enumerate(_followed(step.model)):
            follow(integers(weight, quantizer).to(torch.int16), self.get_buffer(f"integer_{number}"),
                   self.get_buffer(f"direction_{number}"), self.get_buffer(f"frequency_{number}"))

    def notes(self) -> dict[str, Any]:
        """``oscillation_percent``: weights above the threshold at the end, by role, and of attention and feed-forward
        networks together (``modules``)."""
        above: dict[str, int] = defaultdict(int)
        count: dict[str, int] = defaultdict(int)
        for number, groups in enumerate(self._groups):
            frequency, quantized = self.get_buffer(f"frequency_{number}"), self.get_buffer(f"quantized_{number}")
            for group in groups:
                above[group] += int(((frequency > THRESHOLD) & quantized).sum())
                count[group] += int(quantized.expand(frequency.shape).sum())
        return {"oscillation_percent": {group: round(100 * above[group] / count[group], 4) for group in sorted(count)}}


def follow(integer: Tensor, last: Tensor, direction: Tensor, frequency: Tensor) -> None:
    """One step of eqs. 11 and 12, in place, for tensors of one shape: ``integer`` is new, the others are the state.

    o = 1 where the integer changes and its change has another sign than the one before (the first has none before);
    f = m o + (1 - m) f.
    """
    changed = (integer != last).nonzero(as_tuple=True)  # few of them
    change = torch.sign(integer[changed] - last[changed]).to(torch.int8)
    frequency.mul_(1 - MOMENTUM)
    frequency[changed] += MOMENTUM * (change * direction[changed] < 0)
    direction[changed] = change
    last.copy_(integer)


def _followed(model: InstrumentedModel) -> Iterator[tuple[str, Tensor, Bins]]:
    for path, weight, quantizer in quantized_weights(model):
        if isinstance(quantizer, Bins):
            yield path, centred(weight, quantizer), quantizer
