"""``harness site``: the records as a folder of pages that opens from disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..registry import registry
from ..report.publications import published_rows
from ..results.claims.judge import claims_of, judge
from ..results.storage.store import Store
from . import options as o
from .listing import warn_of_problems
from .records import reading


def site(output: Annotated[Path, typer.Option(help="Folder to write; an earlier site there is replaced.")],
         results: o.Results = Path("results")) -> None:
    """Write leaderboards, records, methods, claims and charts as pages that need no network and no server.

    \b
    harness site --output site
    xdg-open site/index.html
    """
    from ..report.site.write import Content, write_site

    known = registry()
    warn_of_problems(known)
    problems: list[str] = []
    with reading() as read:
        def warn(text: str, remedy: str = "") -> None:
            problems.append(text)
            read.warn(text, remedy)

        store = Store(results)
        entries, unreadable = store.entries()
        for item in unreadable:
            warn(item.reason, item.remedy)
        if not entries and not unreadable:
            warn(f"no records in {store.folder}", "Make some: harness run; or name their folder: --results")
        verdicts = judge(claims_of(known, warn), entries, known.ablations)
        write_site(output, Content(known, entries, published_rows(known, warn), verdicts, problems))
        typer.echo(f"{output / 'index.html'}: {len(entries)} records")
