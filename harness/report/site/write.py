"""A site from records: which pages there are, and what each is given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ... import __version__
from ...registry import Registry
from ...results.claims.judge import Verdict
from ...results.entry import Entry
from ...results.published import PublishedRow
from ...results.record import Record
from ..charts import CHARTS
from . import names
from .assets import write_assets
from .board import script
from .chart_script import ChartSection, chart_script, charts_of, sections_of
from .claim_view import ClaimView, PlaceView, by_paper, by_record, claim_views, counts
from .folder import replacing
from .method_view import method_view
from .pages import Pages
from .record_view import record_view
from .tasks import TaskBoards, task_boards, tasks_of


@dataclass(frozen=True)
class Content:
    """What a site is made from. ``published``: what papers print; ``problems``: what is left out, a line each."""

    known: Registry
    entries: Sequence[Entry]
    published: Sequence[PublishedRow]
    verdicts: Sequence[Verdict]
    problems: Sequence[str]


def write_site(folder: Path, content: Content) -> None:
    """Write the site into ``folder``, in place of an earlier one; see :func:`.folder.replacing`."""
    with replacing(folder) as beside:
        pages = Pages(beside, version=__version__, count=len(content.entries), task_page=names.task_page,
                      method_page=names.method_page, record_page=names.record_page)
        claims = claim_views(content.verdicts, content.known, {entry.identity for entry in content.entries})
        drawn = [name for task in tasks_of(content.entries) for name in _write_runs(pages, content, task, claims)]
        tasks = task_boards(content.known, content.entries, content.published, drawn)
        for task in tasks:
            pages.write_text(task.script, script(task.boards))
            pages.write(task.page, "task.html", task=task, script=PurePosixPath(task.script).name)
        _write_methods(pages, content, tasks, claims)
        _write_index(pages, content, tasks, claims)
        pages.write("claims.html", "claims.html", papers=by_paper(claims), counts=counts(claims),
                    methods=content.known.methods)
        write_assets(beside / "assets", charts=bool(drawn))


def _write_runs(pages: Pages, content: Content, task: str, claims: Sequence[ClaimView]) -> list[str]:
    """The records of a task and their charts; says which sections have charts.

    They are read here, once, and no others are held.
    """
    entries = {entry.identity: entry for entry in content.entries if entry.asked.task == task}
    records = [entry.record() for entry in entries.values()]
    decided = by_record(claims)
    for record, entry in zip(records, entries.values(), strict=True):
        _write_record(pages, content, record, entries, decided.get(record.identity, []))
        pages.write_text(f"records/{record.identity}.json", entry.path.read_text(encoding="utf-8"))
    charts = charts_of(records, content.known.ablations)
    if charts:
        _write_charts(pages, task, sections_of(charts))
        pages.write_text(PurePosixPath(names.charts_page(task)).with_suffix(".js").as_posix(), chart_script(charts))
    return [names.anchor(chart.scope) for chart in charts]


def _write_record(pages: Pages, content: Content, record: Record, entries: Mapping[str, Entry],
                  claims: Sequence[tuple[ClaimView, PlaceView]]) -> None:
    full = entries.get(record.reference.identity) if record.reference else None
    pages.write(names.record_page(record.identity), "record.html", view=record_view(record, full),
                reference_page=names.record_page(full.identity) if full else "",
                method_known=record.asked.method in content.known.methods, claims=claims)


def _write_charts(pages: Pages, task: str, sections: Sequence[ChartSection]) -> None:
    page = PurePosixPath(names.charts_page(task))
    pages.write(page.as_posix(), "charts.html", task=task, sections=sections, kinds=CHARTS,
                script=page.with_suffix(".js").name)


def _write_methods(pages: Pages, content: Content, tasks: Sequence[TaskBoards], claims: Sequence[ClaimView]) -> None:
    boards = {task.name: task.boards for task in tasks}
    for name, spec in content.known.methods.items():
        pages.write(names.method_page(name), "method.html",
                    view=method_view(spec, content.known, boards, content.published),
                    claims=[claim for claim in claims if claim.method == name])


def _write_index(pages: Pages, content: Content, tasks: Sequence[TaskBoards], claims: Sequence[ClaimView]) -> None:
    runs = Counter(entry.asked.method for entry in content.entries)
    pages.write("index.html", "index.html", tasks=tasks, problems=content.problems,
                methods=[(spec, runs[name]) for name, spec in content.known.methods.items()],
                verdicts=counts(claims))
