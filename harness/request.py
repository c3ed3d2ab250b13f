"""What a user asks for: a task made concrete, bit-widths. Light: no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import OptionError


@dataclass(frozen=True, order=True)
class Bits:
    """Bit-widths asked for: ``4/4`` is weights/activations. 32 means full precision."""

    weights: int
    activations: int

    @classmethod
    def parse(cls, text: str) -> Bits:
        """``"4/8"``; ``"4"`` means ``4/4``. Raises :class:`OptionError`."""
        match = re.fullmatch(r"(\d+)(?:/(\d+))?", text.strip())
        if not match:
            raise OptionError(f"bits {text!r} are not of the form WEIGHTS/ACTIVATIONS", "Example: --bits 4/4,8/8")
        return cls(int(match[1]), int(match[2] or match[1]))

    def __str__(self) -> str:
        return f"{self.weights}/{self.activations}"


@dataclass(frozen=True)
class TaskRequest:
    """A task as asked for; what is ``None`` the task decides (see :class:`harness.TaskSpec`)."""

    task: str
    scale: str | None = None
    model: str | None = None
    data: str | None = None
    weights: str | None = None


@dataclass(frozen=True)
class Resolved:
    """A task made concrete: what enters a run's identity, and where things are.

    ``fingerprint`` covers the evaluation and calibration data and the preprocessing; ``weights_hash``
    the checkpoint. ``locations`` (paths) do not enter the identity. ``published`` is the checkpoint's
    published figure on exactly this data, where one is known. ``notice`` is said loudly by ``run``,
    ``plan`` and every table (mini scale, random weights).
    """

    task: str
    scale: str
    model: str
    fingerprint: str
    weights_hash: str
    locations: Mapping[str, Any] = field(default_factory=dict)
    published: float | None = None
    notice: str = ""
