"""Options of a component as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from harness import Choice, Options

from .markers import table


def options_table(options: type[Options]) -> str:
    """Name, default, what is allowed and meaning of every option, those of nested groups too."""
    rows = list(_rows(options, ""))
    return table(["option", "default", "allowed", "meaning"], rows) if rows else "It has no options.\n"


def _rows(options: type[Options], prefix: str) -> Iterator[list[str]]:
    for name, field in options.model_fields.items():
        if isinstance(field.default, Options):
            yield [f"`{prefix}{name}`", "", "", field.description or ""]
            yield from _rows(type(field.default), f"{prefix}{name}.")
        else:
            yield [f"`{prefix}{name}`", f"`{plain(field.default)}`", _allowed(field), field.description or ""]


def plain(value: Any) -> str:
    """A value as ``--set`` takes it."""
    if isinstance(value, Choice):
        return value.name + (f" ({settings(value.options)})" if value.options else "")
    if isinstance(value, tuple | list):
        return f"[{','.join(plain(item) for item in value)}]"
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def settings(options: Mapping[str, Any], prefix: str = "") -> str:
    """``a=1 b.c=2`` of nested options."""
    each = (settings(value, f"{prefix}{key}.") if isinstance(value, Mapping) else f"{prefix}{key}={plain(value)}"
            for key, value in options.items())
    return " ".join(each)


def _allowed(field: FieldInfo) -> str:
    bounds = [f"{word} {getattr(limit, sign)}" for limit in field.metadata
              for sign, word in {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}.items() if hasattr(limit, sign)]
    return ", ".join([_type(field.annotation), *bounds])


def _type(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " | ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) is tuple:
        return f"list of {_type(get_args(annotation)[0])}"
    if annotation in (Choice, bool, int, float, str, type(None)):
        return {Choice: "component", bool: "`true` | `false`", int: "integer", float: "number", str: "text",
                type(None): "`none`"}[annotation]
    inner = [_type(part) for part in get_args(annotation) if isinstance(part, type) or get_args(part)]
    return " | ".join(dict.fromkeys(inner)) or getattr(annotation, "__name__", str(annotation))
