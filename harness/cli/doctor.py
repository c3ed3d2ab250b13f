"""``harness doctor``: what is installed, which plugins loaded or failed and why, which data is where."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

import typer
from rich.console import Console
from rich.markup import escape

from ..discovery import strict
from ..engine.plan import resolve_task
from ..errors import HarnessError
from ..registry import installed
from ..request import TaskRequest
from .errors import USER_ERROR
from .options import Results

PACKAGES = ("torch", "torchvision", "timm", "safetensors", "numpy", "scipy", "pandas", "pyarrow", "datasets",
            "transformers", "accelerate", "mmdet", "mmengine", "mmcv", "mmcv-lite", "pycocotools")


def doctor(results: Results = "results") -> None:  # type: ignore[assignment]
    """Check the installation; exit code 1 when a plugin is broken (2 in strict mode)."""
    console = Console(highlight=False, emoji=False)
    console.print(f"[bold]harness[/bold] {version('quantization-harness')}, Python {platform.python_version()}, "
                  f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores")
    console.print("\n[bold]Packages[/bold]")
    for name in PACKAGES:
        console.print(f"  {name:14}{_version(name)}")
    known = installed()
    console.print("\n[bold]Plugins[/bold]")
    for plugin in known.plugins:
        colour = "yellow" if plugin.blocked else "red"
        state = f"[{colour}]{escape(plugin.problem)}[/{colour}]" if plugin.problem else "[green]ok[/green]"
        console.print(f"  {plugin.name:16}{state}  ({escape(plugin.distribution)} {plugin.version})")
    console.print("\n[bold]Data[/bold]")
    width = max(map(len, known.tasks), default=0) + 2
    for name in known.tasks:
        console.print(f"  {name:{width}}{escape(_data(name))}")
    folder = os.path.abspath(results)
    writable = os.access(folder if os.path.exists(folder) else os.path.dirname(folder), os.W_OK)
    console.print(f"\n[bold]Results[/bold]  {escape(folder)} ({'writable' if writable else 'NOT writable'})")
    if known.problems:
        raise typer.Exit(USER_ERROR if strict() else 1)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _data(task: str) -> str:
    try:
        resolved = resolve_task(installed(), TaskRequest(task))
    except HarnessError as error:
        return f"{error.message} {error.remedy}"
    places = ", ".join(f"{what}: {where}" for what, where in resolved.locations.items() if where)
    return f"{resolved.scale} scale, model {resolved.model}{f' ({places})' if places else ''}"
