"""Finding a split of the data by its layout. Light: no torch; pyarrow only where there are tables."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from harness import DataError

from .image_sets import ImageSet
from .labelled_files import csv_split, tree_split
from .split import Split
from .table_split import arrow_split, parquet_split

Role = Literal["train", "evaluation"]

_NAMES: dict[Role, tuple[str, ...]] = {"train": ("train",), "evaluation": ("val", "validation", "test")}

LAYOUTS = """--data names a folder in one of these layouts (val may also be called validation or test):
  train/CLASS/*.jpg        val/CLASS/*.jpg        class folders
  train/*.jpg, train.csv   val/*.jpg, val.csv     one folder each, and a csv file with the columns file,label
  train*.parquet           val*.parquet           Hugging Face Parquet with the columns image,label
  train/*.arrow            val/*.arrow            a data set written by datasets.save_to_disk"""


def find_split(root: Path, role: Role, image_set: ImageSet) -> Split:
    """The split of ``root`` that plays ``role``.

    Raises :class:`DataError` where there is none, where it is empty, and where a label or file is wrong.
    """
    for name in _NAMES[role]:
        for layout in (csv_split, tree_split, parquet_split, arrow_split):
            split = layout(root, name, image_set)
            if split is None:
                continue
            if not split.names:
                raise DataError(f"the {role} split of {image_set.title} in {root} ({name}) holds no pictures", LAYOUTS)
            return split
    looked = ", ".join(f"{name}/ or {name}*.parquet" for name in _NAMES[role])
    why = (" Calibration pictures are drawn from it, never from the evaluation split." if role == "train" else "")
    raise DataError(f"no {role} split of {image_set.title} in {root}: looked for {looked}.{why}", LAYOUTS)
