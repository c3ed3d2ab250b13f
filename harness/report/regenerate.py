"""Everything in a results folder that is made from its records.

This is the one place that says which files these are: the tables of each task and suite, what the records say of the
papers' claims, the charts, and an index of it all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import distributions

from ..errors import DataError, HarnessError
from ..registry import Registry
from ..results.claims.judge import VERDICTS, Verdict
from ..results.entry import Entry
from ..results.published import PublishedRow
from ..results.tables.suites import suite_table
from ..results.tables.table import build
from ..specs import NAME_PATTERN, SuiteSpec
from .charts import CHARTS, ChartKind
from .charts.images import Format, rendered
from .claims import to_markdown_text
from .index_page import Made, index_page
from .tables import AnyTable, render

#: Formats of tables that are kept beside the records.
TABLE_FORMATS = ("md", "csv")
#: What charts are drawn with; another version may draw other bytes.
DRAWN_WITH = ("altair", "vl-convert-python")


@dataclass(frozen=True)
class Sources:
    """What is rendered. ``published``: what papers print; ``verdicts`` on what they claim."""

    known: Registry
    entries: Sequence[Entry]
    published: Sequence[PublishedRow]
    verdicts: Sequence[Verdict]


def regenerate(sources: Sources, warn: Callable[[str, str], None]) -> dict[str, str]:
    """Path in the results folder -> text of every generated file.

    ``warn`` is told, with a remedy, of what cannot be made; the rest is made all the same.
    """
    made: list[Made] = []
    told: set[str] = set()
    for make in _jobs(sources):
        try:
            made += make()
        except HarnessError as error:
            if error.message not in told:
                warn(error.message, error.remedy)
            told.add(error.message)
    return {**{each.path: each.text for each in made}, "index.md": index_page(made, len(sources.entries))}


def drawn_with() -> str:
    """The versions that the bytes of the charts depend on."""
    installed = {name: found for name in DRAWN_WITH for found in distributions(name=name)}
    return ", ".join(f"{name} {found.version}" for name, found in installed.items())


def _jobs(sources: Sources) -> Iterator[Callable[[], Iterable[Made]]]:
    """What makes the files, in the order of the index; each may fail without the others."""
    tasks = sorted({entry.asked.task for entry in sources.entries})
    yield from (partial(_task_table, sources, name) for name in tasks)
    yield from (partial(_suite_table, sources, suite) for suite in sources.known.suites.values()
                if not set(suite.tasks).isdisjoint(tasks))
    yield partial(_claims, sources)
    yield from (partial(_charts, sources, kind) for kind in CHARTS.values())


def _task_table(sources: Sources, name: str) -> list[Made]:
    if not NAME_PATTERN.fullmatch(name):
        raise DataError(f"a record is of a task called {name!r}, which no task can be called", "Remove the record")
    return _table(name, build(sources.entries, sources.published, name, ablations=sources.known.ablations))


def _suite_table(sources: Sources, suite: SuiteSpec) -> list[Made]:
    return _table(suite.name, suite_table(suite, sources.entries, sources.published, sources.known.ablations))


def _table(name: str, table: AnyTable) -> list[Made]:
    sections = "; ".join(section.heading for section in table.sections)
    return [Made(f"{name}.{form}", render(table, form), "Tables", name, sections) for form in TABLE_FORMATS]


def _claims(sources: Sources) -> list[Made]:
    tested = Counter(verdict.verdict for verdict in sources.verdicts)
    about = ", ".join(f"{tested[name]} {name}" for name in VERDICTS if tested[name])
    text = to_markdown_text(sources.verdicts, sources.known)
    return [Made("claims.md", text, "Claims", "What the papers claim, and what the records say", about)]


def _charts(sources: Sources, kind: ChartKind) -> list[Made]:
    charts = kind.build(sources.entries, ablations=sources.known.ablations)
    return [Made(f"charts/{chart.name}.svg", rendered(chart, Format.svg).decode(), "Charts", chart.title)
            for chart in charts]
