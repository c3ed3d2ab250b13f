"""A plugin that is sound, and the same plugin broken in one way at a time: which law notices it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harness import Options
from harness.specs import Spec


@dataclass(frozen=True)
class Fault:
    """What is done wrong, the law that says so, and words of what it says.

    ``spec``: fields of the component's description that differ from the sound one's; ``attributes``: of the suite.
    """

    what: str
    law: str
    says: str
    spec: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """A sound component, what its suite needs to know, and its faults."""

    sound: Spec
    faults: tuple[Fault, ...]
    attributes: dict[str, Any] = field(default_factory=dict)


class NoOptions(Options):
    """None."""
