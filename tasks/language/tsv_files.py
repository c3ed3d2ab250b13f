"""GLUE's original files: one line a sentence or pair, tab-separated, quotes are characters like any other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness import DataError

from .glue_tasks import GlueTask
from .split import NO_LABEL, GlueSplit, made_split

#: Config -> column of the Hugging Face data set -> column of the file, where the names differ.
_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "mnli": {"premise": "sentence1", "hypothesis": "sentence2", "label": "gold_label"},
    "qqp": {"label": "is_duplicate"},
    "stsb": {"label": "score"},
    "mrpc": {"sentence1": "#1 String", "sentence2": "#2 String", "label": "Quality"},
}
#: CoLA's files of labelled sentences have no header.
_COLA = ("source", "label", "star", "sentence")

#: Split -> the names that its file has in the layouts that are around.
_FILES: Mapping[str, tuple[str, ...]] = {
    "train": ("train.tsv",),
    "validation": ("dev.tsv", "validation.tsv"),
    "validation_matched": ("dev_matched.tsv", "validation_matched.tsv", "dev.tsv", "validation.tsv"),
    "validation_mismatched": ("dev_mismatched.tsv", "validation_mismatched.tsv"),
}
#: MRPC as Microsoft distributes it: GLUE's validation pairs are a part of the train file, listed by their ids.
_MRPC_FILE = "msr_paraphrase_train.txt"
_MRPC_IDS = ("dev_ids.tsv", "mrpc_dev_ids.tsv")

#: The original QQP has three lines that are cut short; a file with many of them is another one.
_DAMAGED = 1e-3


def tsv_split(folder: Path, name: str, task: GlueTask) -> GlueSplit | None:
    """The split ``name`` from the files in ``folder``; ``None`` where it has none of them.

    Raises :class:`harness.DataError` for a file without labels, with other columns, or with many damaged lines.
    """
    file = next((folder / file for file in _FILES[name] if (folder / file).is_file()), None)
    if file is not None:
        lines = _Lines(file, task)
        return made_split(name, task, lines, str(file), lines.skipped)
    if task.config == "mrpc" and (folder / _MRPC_FILE).is_file():
        return _from_microsoft(folder, name, task)
    return None


def _from_microsoft(folder: Path, name: str, task: GlueTask) -> GlueSplit:
    ids = next((folder / file for file in _MRPC_IDS if (folder / file).is_file()), None)
    if ids is None:
        raise DataError(f"{folder / _MRPC_FILE} holds GLUE's train and validation pairs together",
                        f"Put GLUE's list of validation pairs beside it ({' or '.join(_MRPC_IDS)})")
    chosen = {tuple(line.split()) for line in _read(ids)}
    lines = _Lines(folder / _MRPC_FILE, task, ("#1 ID", "#2 ID"))
    rows = [row for row in lines if ((row["#1 ID"], row["#2 ID"]) in chosen) == (name == "validation")]
    return made_split(name, task, rows, f"{folder / _MRPC_FILE} ({name})", lines.skipped)


@dataclass
class _Lines:
    """The rows of a file, read once; afterwards ``skipped`` is how many lines were cut short."""

    file: Path
    task: GlueTask
    more: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lines = [line.split("\t") for line in _read(self.file)]
        header = _COLA if self.task.config == "cola" and lines and len(lines[0]) == len(_COLA) else tuple(
            lines.pop(0) if lines else ())
        names = {column: _COLUMNS.get(self.task.config, {}).get(column, column)
                 for column in (*self.task.columns, "label")} | {column: column for column in self.more}
        if names["label"] not in header:
            raise DataError(f"{self.file} has no column {names['label']!r}", NO_LABEL)
        missing = [name for name in names.values() if name not in header]
        if missing:
            raise DataError(f"{self.file} has no column {missing[0]!r}",
                            f"Give GLUE's own file of {self.task.title}; this one has {', '.join(header)}")
        self._places = {column: header.index(name) for column, name in names.items()}
        self._whole = [line for line in lines if len(line) > max(self._places.values())]
        self.skipped = len(lines) - len(self._whole)
        if self.skipped > max(3, _DAMAGED * len(lines)):
            raise DataError(f"{self.skipped:,} of {len(lines):,} lines of {self.file} have too few columns",
                            "The file is damaged; get it again")

    def __iter__(self) -> Iterator[dict[str, str]]:
        for line in self._whole:
            yield {column: line[place] for column, place in self._places.items()}


def _read(file: Path) -> list[str]:
    """The lines of a file, without what ends them and without a byte-order mark."""
    try:
        # Only "\n" ends a line: a carriage return inside of a sentence does not.
        with file.open(encoding="utf-8-sig", newline="\n") as opened:
            return [line.rstrip("\r\n") for line in opened]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read: {error}", "GLUE's files are UTF-8 text; get it again") from error
