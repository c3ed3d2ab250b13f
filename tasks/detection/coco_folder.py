"""Finding a split of COCO by its layout. Light: no torch, no mmdet."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness import DataError, digest

from .annotation_file import Named, read_annotations

Role = Literal["train", "val"]

LAYOUTS = """--data names a folder in one of these layouts:
  annotations/instances_{train,val}2017.json   train2017/*.jpg  val2017/*.jpg   COCO 2017 as it is downloaded
  annotations/instances_{train,val}2017.json   images/{train,val}2017/*.jpg
  annotations/instances_{train,val}.json       images/*.jpg                     a part of it, cut out"""

_LAYOUTS = (("instances_{}2017.json", ("{}2017", "images/{}2017")), ("instances_{}.json", ("images",)))
_DOWNLOAD = "Get the missing pictures: https://cocodataset.org/#download"


@dataclass(frozen=True)
class Split:
    """One split of COCO as it lies on disk.

    Attributes:
        annotations: the annotation file.
        images: the folder of the pictures.
        pictures: id and file name (inside of ``images``) of each picture, in the annotation file's order.
        categories: names of the categories, in the annotation file's order.
        category_ids: COCO's ids of them.
        fingerprint: hash of the annotation file and of the pictures' names and sizes; no pixels are read for it.
    """

    annotations: Path
    images: Path
    pictures: tuple[Named, ...]
    categories: tuple[str, ...]
    category_ids: tuple[int, ...]
    fingerprint: str

    def content(self) -> dict[str, Any]:
        """The whole content of the annotation file; that of train2017 takes seconds and gigabytes."""
        return json.loads(self.annotations.read_bytes())


def find_split(root: Path, role: Role) -> Split:
    """The split of ``root`` that plays ``role``. Pictures that the annotation file does not list are left alone.

    Raises :class:`DataError` where the annotation file or a picture is missing, and where the file is wrong.
    """
    annotations, folders = _annotation_file(root, role)
    listed = read_annotations(annotations)
    folder = next((found for name in folders if (found := root / name.format(role)).is_dir()), None)
    if folder is None:
        raise DataError(f"{annotations} lists {len(listed.pictures):,} pictures, but there is no folder "
                        f"{root / folders[0].format(role)}", LAYOUTS)
    sizes = {picture.name: _size(f"{folder}{os.sep}{picture.name}") for picture in listed.pictures}
    missing = [name for name, size in sizes.items() if not size]
    if missing:
        raise DataError(f"{len(missing):,} of the {len(sizes):,} pictures that {annotations} lists are missing from "
                        f"{folder}, or empty (the first: {missing[0]})", _DOWNLOAD)
    pictures = digest(f"{name}|{size}" for name, size in sizes.items())
    return Split(annotations, folder, listed.pictures, tuple(category.name for category in listed.categories),
                 tuple(category.id for category in listed.categories),
                 digest([f"annotations {listed.sha256}", f"pictures {pictures}"]))


def check_disjoint(train: Split, val: Split) -> None:
    """Raise :class:`DataError` if a picture of the evaluation could be seen in calibration."""
    names = {picture.name for picture in val.pictures}
    if train.fingerprint != val.fingerprint:
        same_folder = train.images.resolve() == val.images.resolve()
        names &= {picture.name for picture in train.pictures} if same_folder else set()
    if names:
        raise DataError(f"{len(names):,} pictures of {val.annotations} are in {train.annotations} too "
                        f"(the first: {min(names)})",
                        "Calibration must not see the evaluation split: give the real train split")


def _annotation_file(root: Path, role: Role) -> tuple[Path, tuple[str, ...]]:
    for name, folders in _LAYOUTS:
        path = root / "annotations" / name.format(role)
        if path.is_file():
            return path, folders
    looked = " or ".join(f"annotations/{name.format(role)}" for name, _ in _LAYOUTS)
    why = " Calibration pictures are drawn from it, never from the evaluation split." if role == "train" else ""
    raise DataError(f"no {role} split of COCO in {root}: looked for {looked}.{why}", LAYOUTS)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
