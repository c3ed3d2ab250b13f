"""What a plugin of some name is called in each place."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import OptionError

PREFIX = "harness"
#: Stricter than the names of components: a distribution's name does not end with a dash.
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")


@dataclass(frozen=True)
class Names:
    """The names of a package: ``my-method``, ``harness-my-method``, ``harness_my_method``, ``MyMethod``."""

    name: str

    @property
    def distribution(self) -> str:
        """What ``pip install`` calls it, and the name of its folder."""
        return f"{PREFIX}-{self.name.replace('_', '-')}"

    @property
    def module(self) -> str:
        """What ``import`` calls it."""
        return self.distribution.replace("-", "_")

    @property
    def class_name(self) -> str:
        """The beginning of the names of its classes."""
        return "".join(map(str.capitalize, re.split("[-_]", self.name)))


def names_of(name: str) -> Names:
    """Raises :class:`harness.OptionError` for a name that a component cannot have, with one that it can."""
    close = _nearest(name)
    if name and close == name:
        return Names(name)
    hint = f"Did you mean {close!r}? " if close else ""
    raise OptionError(f"{name!r} cannot be the name of a plugin",
                      f"{hint}Use lower-case letters and digits, with '-' or '_' between them, starting with a letter; "
                      f"the package is called {PREFIX}-NAME")


def _nearest(name: str) -> str:
    """The allowed name that is most like ``name``; empty where there is none."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1-\2", name).lower()
    slug = re.sub(r"[^a-z0-9_]+", "-", words).strip("-_").removeprefix(f"{PREFIX}-").lstrip("-_0123456789")
    slug = re.sub(r"[-_]*(-|_)[-_]*", r"\1", slug)
    return slug if _NAME.fullmatch(slug) else ""
