"""The help of every command, from the functions that typer calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer

from harness.cli import app

from .markers import table


def commands() -> str:
    """Every command in the order of ``harness --help``: what it does, its examples, arguments and options."""
    group: Any = typer.main.get_command(app)
    before = app.registered_callback
    assert before is not None
    assert before.callback is not None
    everywhere = table(["argument", "meaning"], list(_rows(before.callback, group.params)))
    parts = ["## Before any command\n", "As in `harness --strict run study.toml`.\n", everywhere]
    return "\n".join(parts + [_command(info.name or "", info.callback, group.commands[info.name].params)
                              for info in app.registered_commands if info.callback is not None])


def _command(name: str, function: Callable[..., Any], parameters: list[Any]) -> str:
    text, _, examples = inspect.getdoc(function).partition("\b")  # type: ignore[union-attr]
    parts = [f"## `harness {name}`\n", f"{text.strip()}\n"]
    if examples:
        lines = "\n".join(f"$ {line.strip()}" for line in examples.strip().splitlines())
        parts.append(f"```console\n{lines}\n```\n")
    parts.append(table(["argument", "meaning"], list(_rows(function, parameters))))
    return "\n".join(parts)


def _rows(function: Callable[..., Any], parameters: list[Any]) -> Iterator[list[str]]:
    hints, defaults = get_type_hints(function), inspect.signature(function).parameters
    for parameter in parameters:
        value = parameter.metavar or _value(hints[parameter.name])
        if parameter.opts[0].startswith("-"):
            written = f"{', '.join(parameter.opts)} {value}".strip()
        else:
            written = parameter.metavar or parameter.name.upper()
        default = defaults[parameter.name].default
        known = default in (None, False, inspect.Parameter.empty) or not parameter.show_default
        said = "" if known else f" [default: {default.value if isinstance(default, Enum) else default}]"
        yield [f"`{written}`", f"{parameter.help or ''}{said}"]


def _value(kind: Any) -> str:
    """How a value of this type is written; empty for a switch."""
    options = [part for part in get_args(kind) if part is not type(None)] or [kind]
    base = options[0]
    if get_args(base):  # list[str]
        base = get_args(base)[0]
    if base is bool:
        return ""
    if isinstance(base, type) and issubclass(base, Enum):
        return "|".join(str(member.value) for member in base)
    return {int: "N", float: "X", Path: "PATH"}.get(base, "TEXT")
