"""The command ``harness``: one module a command; torch is imported only by those that compute."""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer

from . import (
    check,
    claims,
    compare,
    doctor,
    everywhere,
    explain,
    export,
    listing,
    merge,
    new,
    plan,
    plot,
    report,
    reproduce,
    run,
    show,
    site,
    table,
)
from .errors import shown

app = typer.Typer(
    name="harness", no_args_is_help=True, add_completion=False, rich_markup_mode="rich",
    pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]},
    help="Compare quantization methods for transformers, fairly: same data, same calibration set, "
         "same counting of costs.\n\n"
         "Start here:  [bold]harness run --methods igqvit,ptqvit,minmax --task imagenet --bits 4/4,8/8[/bold]")
app.callback()(everywhere.everywhere)
_PANELS: dict[str, dict[str, Callable[..., None]]] = {
    "Measure": {"run": run.run, "plan": plan.plan, "reproduce": reproduce.reproduce},
    "Look at results": {"table": table.table, "compare": compare.compare, "claims": claims.claims, "plot": plot.plot,
            "explain": explain.explain},
    "Publish results": {"report": report.report, "site": site.site, "export": export.export, "merge": merge.merge},
    "What is installed": {"list": listing.listing, "show": show.show, "doctor": doctor.doctor, "check": check.check,
                          "new": new.new},
}
for _panel, _commands in _PANELS.items():
    for _name, _command in _commands.items():
        app.command(_name, rich_help_panel=_panel)(_command)


def main() -> None:
    """Entry point: a user's mistake is one message and exit code 2, never a traceback."""
    with shown(debug="--debug" in sys.argv):
        app()
