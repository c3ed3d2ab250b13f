"""What differs between the environments of two runs: the code, what it depends on, the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .record import Environment

_CODE = ("harness", "commit")
_MACHINE = ("platform", "cpu", "isa", "threads", "device")


@dataclass(frozen=True)
class EnvironmentDifference:
    """Each a list of ``"name: before -> after"``; empty where the two environments agree."""

    code: tuple[str, ...]
    dependencies: tuple[str, ...]
    hardware: tuple[str, ...]

    @property
    def none(self) -> bool:
        """Whether the same run must give the same bits."""
        return not (self.code or self.dependencies or self.hardware)


def environment_difference(before: Environment, after: Environment) -> EnvironmentDifference:
    """What changed from ``before`` to ``after``. Of uncommitted or unknown code nobody knows that it is the same."""
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    code = _changes({name: old[name] for name in _CODE}, {name: new[name] for name in _CODE})
    if not code and (not before.commit or before.commit.endswith("-dirty")):
        code = (f"commit: {before.commit or 'unknown'}, which does not say that the code is the same",)
    return EnvironmentDifference(
        code=code,
        dependencies=_changes({"python": before.python, **before.packages}, {"python": after.python, **after.packages}),
        hardware=_changes({name: old[name] for name in _MACHINE}, {name: new[name] for name in _MACHINE}))


def _changes(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[str, ...]:
    names = dict.fromkeys((*before, *after))
    return tuple(f"{name}: {_text(before.get(name))} -> {_text(after.get(name))}" for name in names
                 if before.get(name) != after.get(name))


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "none" if value is None else str(value) or "unknown"
