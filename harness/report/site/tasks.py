"""The tasks and suites that have records, with their leaderboards."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ...registry import Registry
from ...results.entry import Entry
from ...results.published import PublishedRow
from ...results.tables.suites import suite_table
from ...results.tables.table import build
from ..document import Document
from ..tables import document
from . import names
from .board import Board
from .index_view import SectionSummary, summary
from .section_board import section_board
from .suite_board import suite_board


@dataclass(frozen=True)
class TaskBoards:
    """A task or suite. ``shown``: its table as it stands on paper; ``drawn``: the names of the boards with charts."""

    name: str
    summary: str
    shown: Document
    boards: tuple[Board, ...]
    drawn: frozenset[str] = frozenset()

    @property
    def page(self) -> str:
        """Path of its page."""
        return names.task_page(self.name)

    @property
    def script(self) -> str:
        """Path of the script with its rows."""
        return PurePosixPath(self.page).with_suffix(".js").as_posix()

    @property
    def charts(self) -> str:
        """Path of its charts' page; empty where it has none."""
        return names.charts_page(self.name) if self.drawn else ""

    @property
    def sections(self) -> list[SectionSummary]:
        """The boards in a line each."""
        return [summary(board) for board in self.boards]


def task_boards(known: Registry, entries: Sequence[Entry], published: Sequence[PublishedRow],
                drawn: Collection[str]) -> list[TaskBoards]:
    """Every task with records, then the suites that have some of them; ``drawn``: names of boards with charts."""
    by_identity = {entry.identity: entry for entry in entries}
    found = []
    for name in tasks_of(entries):
        made = build(entries, published, name, ablations=known.ablations)
        shown = document(made)
        boards = tuple(section_board(section, part, by_identity, known.methods)
                       for section, part in zip(made.sections, shown.parts, strict=True))
        told = known.tasks[name].summary if name in known.tasks else "Its plugin is not installed here"
        found.append(TaskBoards(name, told, shown, boards, frozenset(drawn) & {board.name for board in boards}))
    for name, suite in known.suites.items():
        if not {task.name for task in found}.isdisjoint(suite.tasks):
            joint = suite_table(suite, entries, published, known.ablations)
            shown = document(joint)
            boards = tuple(suite_board(section, part, known.methods)
                           for section, part in zip(joint.sections, shown.parts, strict=True))
            found.append(TaskBoards(name, suite.summary, shown, boards))
    return found


def tasks_of(entries: Iterable[Entry]) -> list[str]:
    """The names of the tasks with records, sorted."""
    return sorted({entry.asked.task for entry in entries})
