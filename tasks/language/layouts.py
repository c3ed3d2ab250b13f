"""Finding the splits of a task by their layout. Light: no torch; pyarrow only where there are tables."""

from __future__ import annotations

import re
from pathlib import Path

from harness import DataError

from .glue_tasks import GlueTask
from .split import GlueSplit
from .tables import hub_split, parquet_split, saved_split
from .tsv_files import tsv_split

HUB = "hub"

LAYOUTS = """--data names a folder with one folder for each task (RTE, rte or glue-rte), or a task's own folder, in
one of these layouts; or it is the word hub: nyu-mll/glue through the package datasets, downloaded where not cached
  train.tsv       dev.tsv (or validation.tsv)          GLUE's original files; MNLI: dev_matched.tsv, dev_mismatched.tsv;
                                                       MRPC also msr_paraphrase_train.txt with dev_ids.tsv
  train*.parquet  validation*.parquet                  nyu-mll/glue as Parquet; MNLI: validation_matched*.parquet, ...
  train/          validation/                          a data set written by datasets.save_to_disk"""


def find_splits(place: str, task: GlueTask) -> tuple[GlueSplit, tuple[GlueSplit, ...]]:
    """The train split and the validation splits of ``task`` in the folder ``place`` (or :data:`HUB`).

    MNLI's second validation split may be missing from a folder. Raises :class:`harness.DataError` where another one
    is, and where a file is damaged or has no labels.
    """
    wanted = ("train", *task.validation_splits)
    if place == HUB:
        train, *validation = (hub_split(name, task) for name in wanted)
        return train, tuple(validation)
    folder = task_folder(Path(place), task)
    found = {name: split for name in wanted if (split := _find(folder, name, task)) is not None}
    for name in wanted[:2]:
        if name not in found:
            why = " Calibration and training sentences come from it." if name == "train" else ""
            raise DataError(f"no {name} split of {task.title} in {folder}.{why}{_only_test(folder)}", LAYOUTS)
    train, *validation = found.values()
    return train, tuple(validation)


def task_folder(root: Path, task: GlueTask) -> Path:
    """The folder of ``task`` in ``root``, by any of its usual names; ``root`` itself where there is none."""
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        if folder.is_dir() and re.sub("[^a-z0-9]", "", folder.name.lower()).removeprefix("glue") == task.config:
            return folder
    return root


def _find(folder: Path, name: str, task: GlueTask) -> GlueSplit | None:
    for layout in (tsv_split, parquet_split, saved_split):
        split = layout(folder, name, task)
        if split is not None:
            return split
    return None


def _only_test(folder: Path) -> str:
    return " (Its test split has no labels.)" if any(folder.glob("test*")) else ""
