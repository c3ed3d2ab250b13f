"""Command lines of the documentation."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import typer

from harness.cli import app

ROOT = Path(__file__).parents[2]
#: What stands for something of the reader's: words in capitals, and paths to data, weights and other folders.
PLACEHOLDER = re.compile(r"\b[A-Z]{4,}\b|^(/data/|/models/|/elsewhere/|\.\./|results/)|^(hub|main|HEAD.*)$"
                         r"|\.(pth|safetensors)$|^[0-9a-f]{4,12}$")
#: Programs of which the documentation shows a line, and which are not ours to try.
OTHERS = {"xdg-open", "sha256sum"}
#: Options of ``run`` that ``plan`` has not, because they change nothing of what is run.
HOW = {"--device", "--threads", "--batch-size", "--snapshot-seconds", "--timeout"}


def split(line: str) -> list[list[str]]:
    """The words of each command of a line, as a shell sees them; an ellipsis stands for what is left out."""
    commands: list[list[str]] = [[]]
    for word in shlex.split(line):
        if word == "&&":
            commands.append([])
        elif word != "...":
            commands[-1].append(word)
    return commands


def needs_the_readers_own(arguments: list[str]) -> bool:
    """Whether a word stands for data, weights, records or folders that only the reader has."""
    return any(PLACEHOLDER.search(word) for word in arguments)


def planned(arguments: list[str]) -> list[str]:
    """``plan`` in place of ``run``: all of a study is resolved, and nothing computed."""
    if arguments[0] != "run":
        return arguments
    kept = [word for before, word in zip(["", *arguments], arguments, strict=False)
            if word not in HOW and before not in HOW]
    return ["plan", *kept[1:]]


def parse(arguments: list[str]) -> None:
    """Fail where the command line is not one of harness's; nothing is run."""
    group: Any = typer.main.get_command(app)
    name, *rest = arguments
    assert name in group.commands, f"harness has no command {name!r}"
    group.commands[name].make_context(name, rest)


def check_installation(arguments: list[str]) -> None:
    """``pip install``: every extra of the project that it names exists."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for word in arguments:
        if named := re.fullmatch(r"(?:quantization-harness|\.)\[([\w,-]+)\]", word):
            assert set(named[1].split(",")) <= set(extras), f"no such extra: {word}"


def check_tox(arguments: list[str]) -> None:
    """``tox run -e NAME``: the environment exists."""
    if "-e" in arguments:
        name = arguments[arguments.index("-e") + 1]
        assert f"[testenv:{name}]" in (ROOT / "tox.ini").read_text(encoding="utf-8"), f"tox has no environment {name!r}"
