"""``harness reproduce``: measure a study or a record again, and hold it against what is committed."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..engine.plan import Planned
from ..engine.repeat import study_of, to_repeat
from ..engine.study import Study, make_study, read_study
from ..errors import StoreError
from ..registry import registry
from ..results.duplicates import distinct
from ..results.entry import Measured
from ..results.record import Record
from ..results.record_file import read
from ..results.reproduction import SIGMAS, TOLERANCE, Reproduction, reproduction
from ..results.storage.store import Store
from ..results.tables.row_labels import Ablations, grouped
from . import options as o
from .errors import INTERRUPTED
from .explain import record_path
from .listing import warn_of_problems
from .progress import TerminalProgress
from .records import Reading, reading
from .run import check_device

#: Columns of the table where nobody says how wide the output is.
LOG_WIDTH = 140
_COLOURS = {"identical": "green", "reproduced": "green", "not reproduced": "red", "failed": "red"}


def reproduce(targets: Annotated[list[str], typer.Argument(
                  metavar="STUDY.toml|RECORD...", help="Study files; records by path or by the beginning of their "
                  "identity.")],
              tolerance: Annotated[float, typer.Option(
                  min=0.0, help="A metric may always move by so much, in its own units.")] = TOLERANCE,
              output: Annotated[Path | None, typer.Option(
                  help="Keep what is measured in this folder; what it holds already is not measured again. "
                  "[default: a temporary one]", show_default=False)] = None,
              data: o.Data = None, weights: o.Weights = None, batch_size: o.BatchSize = None, device: o.Device = None,
              threads: o.Threads = None, results: o.Results = Path("results"), debug: o.Debug = False) -> None:
    """Measure again what is recorded, and exit with 1 where a value left its band.

    The band is the larger of --tolerance and three standard deviations over the seeds of the committed records of
    the same cell or, where there is one seed only, three standard errors of the difference over the same samples.

    \b
    harness reproduce results/studies/ci.toml
    harness reproduce 3cc24c4ec1bc --tolerance 0.1
    harness reproduce 0f6e --data FOLDER --weights FILE     # full scale
    """
    known = registry()
    warn_of_problems(known)
    if output is not None and output.resolve() == results.resolve():
        raise StoreError(f"{output} holds the committed records themselves", "Give --output another folder")
    given = {"data": data, "weights": weights, "batch_size": batch_size, "device": device, "threads": threads,
             "debug": debug or None}
    given = {key: value for key, value in given.items() if value is not None}
    console = Console(highlight=False, emoji=False)
    with reading() as reader:
        committed = _committed(reader, Store(results))
        studies = [_study(target, results, committed, given) for target in targets]
        folder = nullcontext(str(output)) if output else tempfile.TemporaryDirectory(prefix="harness-reproduce-")
        with folder as name:
            measured = _measure(to_repeat(studies, known, committed, Store(name)), studies[0], Store(name), console)
        found = [reproduction(committed[record.identity], record, committed.values(), tolerance)
                 for record in measured if record.identity in committed]
        _print(console, found, known.ablations)
    if any(item.verdict in ("not reproduced", "failed") for item in found):
        raise typer.Exit(1)


def _committed(reader: Reading, store: Store) -> dict[str, Measured]:
    """The committed records by identity; two of one run that do not agree are named and left out."""
    kept, conflicts = distinct(reader.entries(store))
    for identity in sorted({members[0].identity for members in conflicts}):
        reader.warn(f"{store.folder} has two different records of run {identity}", "Remove the one that is wrong")
    return {record.identity: record for record in kept}


def _study(target: str, results: Path, committed: dict[str, Measured], given: Mapping[str, object]) -> Study:
    """What one target asks for; a record that is given by its path is committed, wherever it lies."""
    if target.endswith(".toml"):
        return make_study({**read_study(Path(target)), **given})
    record = read(record_path(target, results))
    return make_study({**study_of(committed.setdefault(record.identity, record)), **given})


def _measure(planned: Sequence[Planned], how: Study, store: Store, console: Console) -> list[Record]:
    """Run what is missing in ``store``; the record of every run."""
    import torch

    from ..engine.allocator import keep_freed_memory
    from ..engine.runner import Runner

    keep_freed_memory()
    if how.threads:
        torch.set_num_threads(how.threads)
    check_device(how.device)
    progress = TerminalProgress(console)
    runner = Runner(registry(), store, progress, progress.announce, device=how.device, batch_size=how.batch_size)
    measured = []
    try:
        for number, finished in enumerate(runner.execute(planned), start=1):
            console.print(f"[{number}/{len(planned)}] {escape(finished.run.label)}: {finished.outcome}")
            if finished.record is not None:
                measured.append(finished.record)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    return measured


def _print(console: Console, found: Sequence[Reproduction], ablations: Ablations) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("run", "metric", "committed", "measured", "difference", "band", "band from", "verdict"):
        table.add_column(name, overflow="fold", no_wrap=name not in ("run", "band from"))
    for item in found:
        label = escape(_label(item.committed, ablations))
        if item.measured.failure is not None:
            table.add_row(label, *[""] * 6, f"[red]failed: {escape(item.measured.failure.reason)}[/red]")
        for number, value in enumerate(item.values):
            verdict = item.verdict if item.identical else "reproduced" if value.inside else "not reproduced"
            table.add_row("" if number else label, escape(value.name), f"{value.committed:.3f}",
                          f"{value.measured:.3f}", f"{value.measured - value.committed:+.3f}", f"{value.band:.3f}",
                          value.because, f"[{_COLOURS[verdict]}]{verdict}[/{_COLOURS[verdict]}]")
    if not console.is_terminal:  # a log has no width
        console.width = max(console.width, LOG_WIDTH)
    console.print(table)
    for item in found:
        label = escape(_label(item.committed, ablations))
        if item.changed:
            console.print(f"- {label}: {item.changed} samples have another result")
        if item.broken_promise:
            console.print(f"- [red]{label}: code, dependencies and hardware are the same, and the result is not, bit "
                          "for bit[/red]")
    for what in ("code", "dependencies", "hardware"):
        differences = dict.fromkeys(text for item in found for text in getattr(item.environment, what))
        console.print(f"{what}: {escape('; '.join(differences)) or 'the same'}", soft_wrap=True)
    good = sum(item.verdict in ("identical", "reproduced") for item in found)
    console.print(f"{good} of {len(found)} runs reproduced, {sum(item.identical for item in found)} identical. "
                  f"A band is the larger of --tolerance and {SIGMAS:g} standard deviations over seeds, or standard "
                  "errors over samples.", soft_wrap=True)


def _label(record: Measured, ablations: Ablations) -> str:
    """The run as tables call it, with its identity."""
    row = next(iter(grouped([record], ablations)), "full precision")
    return f"{row} {record.asked.bits} s{record.asked.seed} {record.identity}"
