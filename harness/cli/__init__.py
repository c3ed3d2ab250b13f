"""The command ``harness``: one module a command; torch is imported only by those that compute."""

from __future__ import annotations

import sys

import typer

from . import doctor, explain, listing, plan, run, show, table
from .errors import shown

app = typer.Typer(
    name="harness", no_args_is_help=True, add_completion=False, rich_markup_mode="rich",
    pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]},
    help="Compare quantization methods for transformers, fairly: same data, same calibration set, "
         "same counting of costs.\n\n"
         "Start here:  [bold]harness run --methods igqvit,ptqvit,minmax --task imagenet --bits 4/4,8/8[/bold]")
app.command("run")(run.run)
app.command("plan")(plan.plan)
app.command("list")(listing.listing)
app.command("show")(show.show)
app.command("table")(table.table)
app.command("explain")(explain.explain)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Entry point: a user's mistake is one message and exit code 2, never a traceback."""
    with shown(debug="--debug" in sys.argv):
        app()
