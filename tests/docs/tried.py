"""What is done with each kind of block."""

from __future__ import annotations

import json
import tomllib
from typing import Any

from command_lines import OTHERS, check_installation, check_tox, needs_the_readers_own, parse, planned, split
from fenced import Block
from readers_machine import Machine
from typer.testing import CliRunner

from harness.cli import app


class Page:
    """One page on a machine: its blocks in order, with the names that its Python blocks have defined."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._names: dict[str, Any] = {"__name__": "__main__"}

    def block(self, block: Block) -> None:
        """Try one block; what goes wrong says where it stands."""
        try:
            if block.file:
                self.machine.write(block.file, block.text)
            kinds = {"python": self._python, "console": self._console, "toml": self._toml, "json": self._json,
                     "text": self._text}
            assert block.language in kinds, f"a block of no language that is tried: {block.language!r}"
            kinds[block.language](block)
        except BaseException as error:
            error.add_note(f"{block.page}, line {block.line}")
            raise

    def _python(self, block: Block) -> None:
        code = compile("\n" * (block.line - 1) + block.text, str(block.page), "exec")
        if not block.file and not block.why:
            exec(code, self._names)

    def _toml(self, block: Block) -> None:
        tomllib.loads(block.text)
        first = block.text.splitlines()[0]
        if first.startswith("# ") and first.endswith(".toml"):  # a study, which a command of the page names
            self.machine.write(first[2:], block.text)

    def _json(self, block: Block) -> None:
        json.loads(block.text)

    def _text(self, block: Block) -> None:
        """Something to read."""

    def _console(self, block: Block) -> None:
        lines = block.commands()
        assert lines, "a console block with no command: lines of commands start with '$ '"
        for line in lines:
            for arguments in split(line):
                self._command(arguments, bool(block.why))

    def _command(self, words: list[str], only_parsed: bool) -> None:
        program, *arguments = words
        if program == "torchrun":  # what it starts is planned
            program, *arguments = words[words.index("-m") + 1:]
        match program:
            case "harness":
                self._harness(arguments, only_parsed)
            case "pip":
                check_installation(arguments)
                if arguments[-1] == "." and (self.machine.here / "pyproject.toml").exists():
                    self.machine.install(*arguments[1:])
            case "pytest":
                self.machine.python("-m", "pytest", "-p", "no:cacheprovider", *arguments)
            case "tox":
                check_tox(arguments)
            case "cd":
                self.machine.enter(arguments[0])
            case _:
                assert program in OTHERS, f"a command that nobody tries: {program}"

    def _harness(self, arguments: list[str], only_parsed: bool) -> None:
        parse(arguments)
        if only_parsed or needs_the_readers_own(arguments):
            return
        measured = arguments[0] == "run" and "--limit" in arguments
        if measured or arguments[0] == "report":  # charts have the same bytes in every process, not twice in one
            self.machine.python("-m", "harness", *arguments)
            return
        arguments = planned(arguments)
        output = self.machine.python("-m", "harness", *arguments) if self.machine.has_packages else here(arguments)
        assert arguments[0] != "plan" or "not possible" not in output, output


def here(arguments: list[str]) -> str:
    """``harness ARGUMENTS`` in this process, which has loaded the plugins already; what it printed."""
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, f"harness {' '.join(arguments)} ended with {result.exit_code}\n{result.output}"
    return result.output
