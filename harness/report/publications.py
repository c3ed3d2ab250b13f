"""The figures of all papers that the installed plugins know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..errors import HarnessError
from ..registry import Registry
from ..results.published import PublishedRow, read_published
from ..specs import MethodSpec, TaskSpec


def published_rows(known: Registry, warn: Callable[[str], None]) -> list[PublishedRow]:
    """The rows that papers print, from every method and task that brings some, with models by their names here.

    ``warn`` is told of a damaged file; the others are read all the same.
    """
    rows: list[PublishedRow] = []
    specs: list[MethodSpec | TaskSpec] = [*known.methods.values(), *known.tasks.values()]
    for spec in specs:
        try:
            rows += read_published(known.published(spec), _source(spec))
        except (HarnessError, OSError) as error:
            warn(f"published rows of {spec.name}: {error}")
    names = {name: task.paper_names for name, task in known.tasks.items()}
    return [replace(row, model=names.get(row.task, {}).get(row.model, row.model)) for row in rows]


def _source(spec: MethodSpec | TaskSpec) -> str:
    """How a published figure names its paper."""
    if isinstance(spec, MethodSpec) and spec.paper:
        return f"{spec.paper.authors.split(',')[0].split(' et al')[0]} et al., {spec.paper.venue} {spec.paper.year}"
    return spec.name
