"""What a user asks for: a task made concrete, bit-widths. Light: no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import OptionError

FULL_PRECISION_BITS = 32


@dataclass(frozen=True, order=True)
class Bits:
    """Bit-widths asked for: ``4/4`` is weights/activations, ``1/1/1`` also word embeddings.

    32 means full precision, which embeddings keep where nothing is said of them.
    """

    weights: int
    activations: int
    embeddings: int = FULL_PRECISION_BITS

    @classmethod
    def parse(cls, text: str) -> Bits:
        """``"4/8"``, ``"2/8/8"``; ``"4"`` means ``4/4``. Raises :class:`OptionError`."""
        match = re.fullmatch(r"(\d+)(?:/(\d+)(?:/(\d+))?)?", text.strip())
        if not match:
            raise OptionError(f"bits {text!r} are not of the form WEIGHTS/ACTIVATIONS[/EMBEDDINGS]",
                              "Example: --bits 4/4,8/8 or, for a language model, --bits 1/1/1,2/8/8")
        weights, activations, embeddings = match.groups()
        return cls(int(weights), int(activations or weights), int(embeddings or FULL_PRECISION_BITS))

    def __str__(self) -> str:
        embeddings = "" if self.embeddings == FULL_PRECISION_BITS else f"/{self.embeddings}"
        return f"{self.weights}/{self.activations}{embeddings}"


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
