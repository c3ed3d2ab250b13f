"""Options as the command line takes them: ``search.similarity=cosine``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..options import parse_value

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def as_settings(options: Mapping[str, Any], prefix: str = "") -> list[str]:
    """``KEY=VALUE`` for every option, sorted by key; ``prefix`` (a method's name) goes before each key."""
    return [f"{prefix}{'.' if prefix else ''}{key}={value}" for key, value in sorted(_flat(options, ""))]


def _flat(options: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for name, value in options.items():
        if isinstance(value, Mapping) and value:
            if isinstance(value.get("name"), str):  # a component: search=minmax search.bins=10
                yield f"{path}{name}", _text(value["name"])
                value = {**{k: v for k, v in value.items() if k not in ("name", "options")},
                         **value.get("options", {})}
            yield from _flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", _text(value)


def _text(value: Any) -> str:
    """``value`` so that the command line reads it back: words bare, all else as JSON."""
    if isinstance(value, str) and _WORD.fullmatch(value) and parse_value(value) == value:
        return value
    if isinstance(value, list) and value and all(isinstance(item, str) and _WORD.fullmatch(item) for item in value):
        return f"[{','.join(value)}]"
    return json.dumps(value, sort_keys=True)
