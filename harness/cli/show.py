"""``harness show``: everything about one method, task or component."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..errors import UnknownNameError
from ..options import Choice, Options
from ..registry import Registry, registry
from ..results.storage.store import Store
from ..specs import AdapterSpec, MethodSpec, Spec, SuiteSpec, TaskSpec
from .options import Results


def show(name: Annotated[str, typer.Argument(help="A method, task, suite, or any component.")],
         results: Results = Path("results")) -> None:
    """Show the paper, what is quantized, the options and the ablation switches."""
    known = registry()
    console = Console(emoji=False)  # "module:Class:" is no picture
    for spec in _find(known, name):
        kind = type(spec).__name__.removesuffix("Spec").lower()
        console.print(f"[bold]{spec.name}[/bold]  ({kind}; {escape(spec.plugin)})\n{escape(spec.summary)}")
        if spec.kinds or isinstance(spec, MethodSpec):
            console.print(f"[bold]Kinds of tasks[/bold]  {escape(', '.join(spec.kinds) or 'all')}")
        if isinstance(spec, AdapterSpec):
            console.print(f"[bold]Attention class[/bold]  {escape(spec.attention)}")
        if isinstance(spec, MethodSpec):
            _show_method(console, spec)
            console.print(f"[bold]Recorded runs[/bold]  {Store(results).count(method=spec.name)} in {results}")
        if isinstance(spec, TaskSpec):
            _show_task(console, spec)
            console.print(f"[bold]Recorded runs[/bold]  {Store(results).count(task=spec.name)} in {results}")
        if isinstance(spec, SuiteSpec):
            console.print(f"[bold]Columns[/bold]  {escape(', '.join(spec.columns))}")
            for average, columns in spec.averages.items():
                console.print(f"[bold]{escape(average)}[/bold]  mean of {escape(', '.join(columns))}")
        _show_options(console, known, spec)


def _find(known: Registry, name: str) -> list[Spec]:
    catalogues = (known.methods, known.tasks, known.suites, known.searches, known.quantizers, known.losses, known.costs,
                  known.adapters)
    found: list[Spec] = [catalogue[name] for catalogue in catalogues if name in catalogue]  # type: ignore[misc]
    if not found:
        raise UnknownNameError("method, task or component", name, {n for c in catalogues for n in c})
    return found


def _show_method(console: Console, spec: MethodSpec) -> None:
    if spec.paper:
        paper = spec.paper
        console.print(f"\n[bold]Paper[/bold]  {escape(paper.title)} ({escape(paper.authors)}; {escape(paper.venue)} "
                      f"{paper.year}) {paper.url}")
    console.print(f"[bold]Quantizes[/bold]  {escape(spec.quantizes)}")
    console.print(f"[bold]Bits[/bold]  weights {spec.weight_bits}, activations {spec.activation_bits}, word embeddings "
                  f"{spec.embedding_bits}")
    for kind, (weights, activations) in spec.kind_bits.items():
        console.print(f"[bold]Bits in {escape(kind)}[/bold]  weights {weights}, activations {activations}")
    console.print(f"[bold]Calibration samples in the paper[/bold]  {spec.calibration_size} "
                  "(a run uses --calibration, the same for every method)")
    if spec.ablations:
        console.print("\n[bold]Ablation switches[/bold]")
        for label, options in spec.ablations.items():
            settings = " ".join(f"--set {key}={_plain(value)}" for key, value in _flat(spec.name, options))
            console.print(f"  {escape(label)}:  {escape(settings)}", highlight=False)
        console.print(f"  Run one: --methods '{spec.name}:{escape(next(iter(spec.ablations)))}'", highlight=False)


def _flat(prefix: str, options: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in options.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}.{key}", value)
        else:
            yield f"{prefix}.{key}", value


def _show_task(console: Console, spec: TaskSpec) -> None:
    console.print(f"\n[bold]Kind[/bold]  {escape(spec.kind)}; methods that train "
                  f"{'run on it' if spec.trains else 'do not: it has no training loss'}")
    console.print(f"[bold]Metric[/bold]  {escape(spec.metric)}")
    for scale, models in spec.models.items():
        console.print(f"[bold]Models at {scale} scale[/bold]  {escape(', '.join(models))}")
    console.print(f"[bold]Data[/bold]  {escape(spec.data_help)}")


def _show_options(console: Console, known: Registry, spec: Spec) -> None:
    if not spec.options.model_fields:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("option", "default", "meaning"):
        table.add_column(column, overflow="fold", no_wrap=column == "option")
    for name, field in spec.options.model_fields.items():
        table.add_row(name, escape(_plain(field.default)), escape(_meaning(field)))
        if isinstance(field.default, Options):
            _add_nested(table, name, type(field.default))
        if isinstance(field.default, Choice) and name == "search" and field.default.name in known.searches:
            _add_nested(table, name, known.searches[field.default.name].options, field.default.options)
    console.print("\n[bold]Options[/bold]  (--set " + (f"{spec.name}.OPTION=VALUE)"))
    console.print(table)


def _add_nested(table: Table, prefix: str, options: type[Options], given: Mapping[str, Any] | None = None) -> None:
    """Rows of a component's options; ``given``: those that the method sets where the user does not."""
    for name, field in options.model_fields.items():
        default = (given or {}).get(name, field.default)
        table.add_row(f"  {prefix}.{name}", escape(_plain(default)), escape(_meaning(field)))


def _meaning(field: FieldInfo) -> str:
    values = getattr(field.annotation, "__args__", ())
    choices = " | ".join(v for v in values if isinstance(v, str))
    return f"{field.description or ''}{f' ({choices})' if choices else ''}"


def _plain(value: object) -> str:
    if isinstance(value, Choice):
        return value.name
    if isinstance(value, Options):
        return ""
    if isinstance(value, tuple):
        return f"[{','.join(_plain(item) for item in value)}]"
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
