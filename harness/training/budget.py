"""How long methods may train: an axis of a study. Light: no torch."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ..errors import OptionError

_HELP = "Examples: --budget 1ep, --budget steps=200, --budget paper"


@dataclass(frozen=True)
class Budget:
    """So many epochs, or so many steps, for the whole of a method's training; neither: the paper's own schedule.

    A method of several stages divides it by their shares (:class:`harness.Stage`).
    """

    epochs: float | None = None
    steps: int | None = None

    @classmethod
    def parse(cls, text: str) -> Budget:
        """``"1ep"``, ``"0.5ep"``, ``"steps=200"`` or ``"paper"``. Raises :class:`OptionError`."""
        text = text.strip()
        if text == "paper":
            return cls()
        if match := re.fullmatch(r"steps=(\d{1,9})", text):
            given = cls(steps=int(match[1]))
        elif match := re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)ep", text):
            given = cls(epochs=float(match[1]))
        else:
            raise OptionError(f"budget {text!r} is neither epochs, steps nor 'paper'", _HELP)
        if not (given.steps or given.epochs):
            raise OptionError(f"budget {text!r} leaves nothing to train with", _HELP)
        return given

    def __str__(self) -> str:
        if self.steps is not None:
            return f"steps={self.steps}"
        return "paper" if self.epochs is None else f"{self.epochs:g}ep"

    def steps_of(self, share: float, epochs: float, steps_per_epoch: int) -> int:
        """Steps of a stage that the paper trains for ``epochs`` and that has ``share`` of this budget; at least 1."""
        if self.steps is not None:
            return max(1, round(self.steps * share))
        return max(1, math.ceil((epochs if self.epochs is None else self.epochs * share) * steps_per_epoch))
