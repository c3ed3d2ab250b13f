"""A method to try a search or a loss in: components that do nothing alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..options import Choice, Options
from ..registry import registry
from ..results.record import FULL_PRECISION
from ..specs import MethodSpec, Spec


def users_of(component: Spec) -> list[str]:
    """The methods that choose ``component`` by default, anywhere in their options, then the others of its plugin."""
    known = registry().methods
    users = [name for name, spec in known.items() if component.name in set(_chosen(spec.options.model_construct()))]
    return users + [name for name, spec in known.items() if spec.plugin == component.plugin and name not in users
                    and name != FULL_PRECISION]


def stand_ins() -> list[MethodSpec]:
    """Plain methods that take any search, or any loss: min-max, and LSQ."""
    known = registry().methods
    return [known[name] for name in ("minmax", "lsq") if name in known]


def _chosen(value: Any) -> Iterator[str]:
    if isinstance(value, Choice):
        yield value.name
    elif isinstance(value, Options):
        for name in type(value).model_fields:
            yield from _chosen(getattr(value, name, None))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _chosen(item)
