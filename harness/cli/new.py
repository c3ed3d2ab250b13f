"""``harness new``: a plugin package to begin with, which installs, runs and passes its tests as it is."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ..errors import OptionError
from ..registry import Registry, registry
from ..scaffold.naming import names_of
from ..scaffold.package import Kind, make_package
from .listing import warn_of_problems


def new(kind: Annotated[Kind, typer.Argument(help="What the package contributes.")],
        name: Annotated[str, typer.Argument(help="Its name, as --methods or --task will take it.")],
        output: Annotated[Path, typer.Option(help="Where the folder harness-NAME is put.")] = Path(".")) -> None:
    """Make a plugin package: a small method, task or attention adapter that works, to be changed into your own."""
    names, known = names_of(name), registry()
    warn_of_problems(known)
    _refuse_taken(known, kind, name)
    folder = make_package(kind, names, output)
    run = f"--methods {name},minmax --task imagenet --limit 200" if kind is Kind.method else (
        f"--methods minmax --task {name}")
    typer.echo(f"Made {folder}, with a small {kind.value} that works. Install it, run it, check it:\n")
    for command in (f"pip install -e {shlex.quote(str(folder) + '[test]')}", f"harness run {run} --bits 4/4,8/8",
                    f"harness check {name}"):
        typer.echo(f"  {command}")
    typer.echo(f"\nThen make it yours: {folder / 'README.md'} says what is where.")


def _refuse_taken(known: Registry, kind: Kind, name: str) -> None:
    plugins = {plugin.name: plugin.source for plugin in known.plugins}
    contributed = {Kind.method: (known.methods, known.searches), Kind.task: (known.tasks,),
                   Kind.adapter: (known.adapters, known.tasks)}[kind]
    source = next((catalogue[name].plugin for catalogue in contributed if name in catalogue), plugins.get(name))
    if source:
        raise OptionError(f"the name {name!r} is taken, by {source}",
                          "Choose another: of two plugins with one name, neither can be used")
