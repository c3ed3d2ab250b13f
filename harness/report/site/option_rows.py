"""The options of a component as lines of a table: name, default, meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo

from ...options import Choice, Options
from ...registry import Registry
from ...specs import MethodSpec


@dataclass(frozen=True)
class OptionRow:
    """One option. ``name`` is what ``--set`` takes after the method's name and a dot."""

    name: str
    default: str
    meaning: str


def option_rows(spec: MethodSpec, known: Registry) -> Iterator[OptionRow]:
    """Every option of a method, those of its parts and of its search behind the part that has them."""
    for name, field in spec.options.model_fields.items():
        yield OptionRow(name, _plain(field.default), _meaning(field))
        if isinstance(field.default, Options):
            yield from _nested(name, type(field.default), {})
        if isinstance(field.default, Choice) and name == "search" and field.default.name in known.searches:
            yield from _nested(name, known.searches[field.default.name].options, field.default.options)


def _nested(prefix: str, options: type[Options], given: Mapping[str, Any]) -> Iterator[OptionRow]:
    for name, field in options.model_fields.items():
        yield OptionRow(f"{prefix}.{name}", _plain(given.get(name, field.default)), _meaning(field))


def _meaning(field: FieldInfo) -> str:
    values = getattr(field.annotation, "__args__", ())
    choices = " | ".join(value for value in values if isinstance(value, str))
    return f"{field.description or ''}{f' ({choices})' if choices else ''}"


def _plain(value: Any) -> str:
    """A default as ``--set`` takes it."""
    if isinstance(value, Choice):
        return value.name
    if isinstance(value, Options):
        return ""
    if isinstance(value, tuple):
        return f"[{','.join(map(_plain, value))}]"
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
