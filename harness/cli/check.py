"""``harness check``: whether a plugin or a component keeps the laws that every one keeps."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from ..discovery import Plugin
from ..errors import OptionError
from ..options import parse_assignments
from ..registry import Registry, installed
from . import options as o
from .listing import warn_of_problems

if TYPE_CHECKING:
    from ..testing.cases import Case
    from ..testing.law import Verdict

BROKEN = 1


def check(names: Annotated[list[str] | None, typer.Argument(
              metavar="[NAME]...", help="Plugins, methods, quantizers, searches, losses, tasks, attention adapters, "
              "suites or cost conventions.")] = None,
          everything: Annotated[bool, typer.Option("--all", help="Every installed plugin.")] = False,
          assignments: o.Assignments = None,
          timeout: Annotated[float, typer.Option(
              min=0.1, help="Seconds for a law; what takes longer is given up, and others are tried.")] = 120,
          as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
          debug: o.Debug = False) -> None:
    """Check that a plugin keeps the laws of its kind, on a tiny model and without data.

    Exit code 1 where a law is broken; each one says what was seen and what to mend. Hints break nothing.

    \b
    harness check mymethod
    harness check mymethod --set mymethod.search.iterations=5
    harness check mymethod --timeout 20
    harness check --all
    """
    import torch

    from ..testing.cases import cases, plugins_of

    known = installed()
    chosen = [plugin.name for plugin in known.plugins] if everything else list(names or ())
    if not chosen:
        raise OptionError("nothing to check", "Give the name of a plugin or a component, or --all; see: harness list "
                          "plugins")
    if not as_json and not any(plugin.name in chosen for plugin in known.plugins if plugin.problem):
        warn_of_problems(known)  # it may be why a name is not known
    to_check = cases(known, chosen)
    given = _given(to_check, parse_assignments(assignments or []))
    report = _Json(timeout) if as_json else _Lines(timeout)
    torch.set_num_threads(1)  # on tensors this small, threads wait for each other
    for plugin in plugins_of(known, chosen):
        report.plugin(plugin, _problem(known, plugin))
    for case, options in zip(to_check, given, strict=True):
        report.case(case, options)
    report.end()
    if report.broken:
        raise typer.Exit(BROKEN)


def _given(cases: list[Case], given: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What ``--set`` gives each component: to the method, where a search, say, has the same name."""
    names = {case.spec.name for case in cases}
    for name, options in given.items():
        if name not in names or not isinstance(options, dict):
            raise OptionError(f"--set {name}: not an option of what is checked",
                              f"Use --set NAME.OPTION=VALUE, with NAME one of {', '.join(sorted(names))}")
    methods = {case.spec.name for case in cases if case.kind == "method"}
    return [given.get(case.spec.name, {}) if case.kind == "method" or case.spec.name not in methods else {}
            for case in cases]


def _problem(known: Registry, plugin: Plugin) -> str:
    """What is wrong with a plugin; a name that two claim is a problem of the later one, which names both."""
    return plugin.problem or next((other.problem for other in known.plugins if plugin.source in other.problem), "")


class _Lines:
    """The report for people: a line a law."""

    def __init__(self, timeout: float) -> None:
        self.console, self.timeout = Console(highlight=False, soft_wrap=True, emoji=False), timeout
        self.broken, self.laws, self.start = 0, 0, time.perf_counter()

    def plugin(self, plugin: Plugin, problem: str) -> None:
        """A plugin that cannot be used breaks a law itself."""
        if problem:
            self.broken += not plugin.blocked
            colour = "yellow" if plugin.blocked else "red"
            self.console.print(f"[bold]{escape(plugin.source)}[/bold]\n  [{colour}]{escape(problem)}[/{colour}]")

    def case(self, case: Case, options: Mapping[str, Any]) -> None:
        """Check one component, law by law."""
        from ..testing.law import hints_of, judged, worded

        self.console.print(f"[bold]{case.label}[/bold]  ({escape(case.spec.plugin)})")
        suite = case.suite(options)
        for verdict in judged(suite, self.timeout):
            self.laws += 1
            mark = "[green]pass[/green]" if verdict.kept else "[red]FAIL[/red]"
            self.console.print(f"  {mark}  {worded(verdict.law)}")
            if not verdict.kept:
                self.broken += 1
                for line in _details(verdict):
                    self.console.print(f"        {escape(line)}")
        for hint in hints_of(suite) if not verdict.last else ():
            self.console.print(f"  [dim]hint  {escape(hint)}[/dim]")

    def end(self) -> None:
        """The sum of it."""
        seconds = time.perf_counter() - self.start
        state = f"[red]{self.broken} broken[/red]" if self.broken else "[green]all kept[/green]"
        self.console.print(f"{self.laws} laws, {state} ({seconds:.0f} s)")


class _Json:
    """The report for programs: one document at the end."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.broken, self._plugins, self._components = 0, list[dict[str, Any]](), list[dict[str, Any]]()

    def plugin(self, plugin: Plugin, problem: str) -> None:
        """Name, version and problem."""
        self.broken += bool(problem) and not plugin.blocked
        self._plugins.append({"name": plugin.name, "distribution": plugin.distribution, "version": plugin.version,
                              "problem": problem})

    def case(self, case: Case, options: Mapping[str, Any]) -> None:
        """Every law of a component with its verdict."""
        from ..testing.law import hints_of, judged

        suite = case.suite(options)
        laws = [asdict(verdict) | {"kept": verdict.kept} for verdict in judged(suite, self.timeout)]
        self.broken += sum(not law["kept"] for law in laws)
        self._components.append({"kind": case.kind, "name": case.spec.name, "plugin": case.spec.plugin, "laws": laws,
                                 "hints": [] if laws[-1]["last"] else hints_of(suite)})

    def end(self) -> None:
        """Print the document."""
        typer.echo(json.dumps({"broken": self.broken, "plugins": self._plugins, "components": self._components},
                              indent=2))


def _details(verdict: Verdict) -> Iterator[str]:
    yield from verdict.seen.splitlines()[:6]
    if verdict.trace:  # where it was raised
        yield from (line.strip() for line in verdict.trace.splitlines() if line.startswith("  File"))
    if verdict.mend:
        yield f"Mend: {verdict.mend}"
