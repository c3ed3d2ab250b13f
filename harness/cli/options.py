"""Options that several commands share, and how they become a study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..engine.study import Study, make_study, read_study
from ..options import parse_assignments

StudyFile = Annotated[Path | None, typer.Argument(
    metavar="[STUDY.toml]", help="A file with the same keys as the options; options given here win.")]
Methods = Annotated[str | None, typer.Option(
    help="Methods, comma-separated; METHOD:ABLATION for an ablation of its paper. See: harness list methods, harness "
    "show METHOD")]
Tasks = Annotated[str | None, typer.Option("--task", help="Task (or several). See: harness list tasks")]
EachBits = Annotated[str | None, typer.Option(
    "--bits", help="Weights/activations, comma-separated, such as 4/4,6/6,8/8; or weights/activations/word embeddings, "
    "such as 1/1/1. [default: 8/8]", show_default=False)]
Seeds = Annotated[str | None, typer.Option(help="Seeds, comma-separated. [default: 0]", show_default=False)]
Scale = Annotated[str | None, typer.Option(
    help="mini (embedded, minutes) or full (your data). [default: full where data is configured]", show_default=False)]
Model = Annotated[str | None, typer.Option(help="Model (or several). [default: the task's own]", show_default=False)]
Data = Annotated[str | None, typer.Option(help="Folder of the data set (full scale).")]
Weights = Annotated[str | None, typer.Option(
    help="Checkpoint: safetensors or pth file; 'hub' to download; 'random' for none (full scale).")]
Assignments = Annotated[list[str] | None, typer.Option(
    "--set", metavar="KEY=VALUE", help="An option of a method, such as igqvit.g=12 or ptqvit.search.similarity=cosine; "
    "may be repeated. See: harness show METHOD")]
CalibrationSize = Annotated[int | None, typer.Option(
    "--calibration", help="Calibration samples, the same for every method. [default: the task's]", show_default=False)]
Limit = Annotated[int | None, typer.Option(help="Evaluate on the first N samples only.")]
Budgets = Annotated[str | None, typer.Option(
    "--budget", help="Training of methods that train, comma-separated: 1ep (epochs), steps=200, or paper. "
    "[default: 1ep]", show_default=False)]
SnapshotSeconds = Annotated[float | None, typer.Option(
    help="Seconds between snapshots of unfinished training; a killed run goes on from the last. [default: 60]",
    show_default=False)]
Timeout = Annotated[float | None, typer.Option(
    help="Seconds after which a run is given up as failed, and the next begins. [default: none]", show_default=False)]
Results = Annotated[Path, typer.Option(help="Folder of the records.")]
Force = Annotated[bool, typer.Option("--force", help="Measure again what is already recorded.")]
Debug = Annotated[bool, typer.Option("--debug", help="Tracebacks for every error.")]
BatchSize = Annotated[int | None, typer.Option(help="Samples evaluated at a time. [default: 32]", show_default=False)]
Device = Annotated[str | None, typer.Option(help="torch device, such as cuda. [default: cpu]", show_default=False)]
Threads = Annotated[int | None, typer.Option(help="CPU threads of torch. [default: torch's own]", show_default=False)]


def study_from(file: Path | None, assignments: list[str] | None, given: dict[str, Any]) -> Study:
    """The study of a file with the command line's values on top (``None`` means not given)."""
    keys = read_study(file) if file else {}
    keys |= {key: value for key, value in given.items() if value is not None}
    if assignments:
        keys["set"] = _merged(keys.get("set", {}), parse_assignments(assignments))
    return make_study(keys)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged
