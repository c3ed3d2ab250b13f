"""The scenes as a true COCO folder in the user's cache, so that the mini scale is read by the same code as COCO 2017.

The folder is written beside its place and renamed when it is complete: a writer that was killed leaves
nothing that could be taken for it, and of two writers the second finds the first one's work.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import DataError, cache_folder

from .scenes import CLASSES, IMAGE_SIZE, SPLIT_SIZES, VERSION, Instance, generate

if TYPE_CHECKING:
    import numpy as np

POOL_SCENES = 512
"""Calibration samples of the mini scale are drawn from so many first scenes of the train split."""

COUNTS = {"train": POOL_SCENES, "val": SPLIT_SIZES["test"]}
"""Scenes of each of COCO's splits in the folder; ``val`` is the whole test split."""

_STAMP = "complete.json"
_PART = "part-"
_ABANDONED = 3600.0  # Seconds after which another process's unfinished folder is taken for a killed one's.
_CHUNK = 64  # Scenes held in memory at once.


def scene_folder() -> Path:
    """The folder, written now if it is not there; one for this process where the cache cannot be written.

    Raises :class:`DataError` where there is no room for it (40 MB).
    """
    place = cache_folder("detection/scenes")
    try:
        return _temporary() if place is None else _written_in(place)
    except OSError as error:
        where = place or tempfile.gettempdir()
        raise DataError(f"the scenes of the mini scale cannot be written to {where}: {error.strerror}",
                        "Make room there (40 MB), or set XDG_CACHE_HOME to another folder") from error


def _written_in(place: Path) -> Path:
    folder = place / "-".join([VERSION, *map(str, COUNTS.values())])
    if _complete(folder):
        return folder
    _remove_abandoned(place)
    written = Path(tempfile.mkdtemp(prefix=_PART, dir=place))
    try:
        _write(written)
        written.chmod(0o755)  # mkdtemp lets only its owner in; a cache may be shared.
        while not _complete(folder):
            try:
                written.rename(folder)
            except OSError:  # It exists: another process was faster, or somebody deleted pictures out of it.
                if not _complete(folder):
                    _move_away(folder)
    finally:
        shutil.rmtree(written, ignore_errors=True)
    return folder


def _complete(folder: Path) -> bool:
    try:
        stamp = json.loads((folder / _STAMP).read_text(encoding="utf-8"))
        files = {"annotations": len(COUNTS), **{f"{split}2017": count for split, count in COUNTS.items()}}
        return stamp == _stamp() and all(len(os.listdir(folder / name)) == count for name, count in files.items())
    except (OSError, ValueError):
        return False


def _stamp() -> dict[str, Any]:
    return {"version": VERSION, "scenes": COUNTS}


def _move_away(folder: Path) -> None:
    """Make room for a complete folder, leaving nothing half-deleted under its name."""
    aside = Path(tempfile.mkdtemp(prefix=_PART, dir=folder.parent))
    try:
        folder.rename(aside / folder.name)
    except FileNotFoundError:  # Another process did it.
        pass
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _remove_abandoned(place: Path) -> None:
    for left in place.glob(f"{_PART}*"):
        try:
            abandoned = time.time() - left.stat().st_mtime > _ABANDONED
        except FileNotFoundError:  # Its writer finished just now.
            continue
        if abandoned:
            shutil.rmtree(left, ignore_errors=True)


@cache
def _temporary() -> Path:
    """A folder that is removed when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="harness-scenes-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _write(folder)
    return folder


def _write(root: Path) -> None:
    (root / "annotations").mkdir()
    for split, count in COUNTS.items():
        (root / f"{split}2017").mkdir()
        content = json.dumps(_split(root / f"{split}2017", "test" if split == "val" else split, count))
        (root / "annotations" / f"instances_{split}2017.json").write_text(content, encoding="utf-8")
    (root / _STAMP).write_text(json.dumps(_stamp()), encoding="utf-8")


def _split(folder: Path, split: str, count: int) -> dict[str, Any]:
    """Write the pictures of a split and return its annotations, in COCO's form. All ids start at 1."""
    from PIL import Image

    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for start in range(0, count, _CHUNK):
        pictures, scenes = generate(split, start, min(_CHUNK, count - start))
        for picture, instances in zip(pictures, scenes, strict=True):
            number = len(images) + 1
            name = f"{number:012}.png"
            Image.fromarray(picture).save(folder / name, compress_level=1)
            images.append({"id": number, "file_name": name, "width": IMAGE_SIZE, "height": IMAGE_SIZE})
            annotations += [{"id": len(annotations) + place, "image_id": number, **_annotation(instance)}
                            for place, instance in enumerate(instances, start=1)]
    return {"info": {"description": f"Scenes of handwritten digits, {VERSION}, {split} split", "version": VERSION},
            "licenses": [], "images": images, "annotations": annotations,
            "categories": [{"id": label, "name": name, "supercategory": "digit"}
                           for label, name in enumerate(CLASSES, start=1)]}


def _annotation(instance: Instance) -> dict[str, Any]:
    return {"category_id": instance.label + 1, "iscrowd": 0, "bbox": list(instance.box),
            "area": int(instance.mask.sum()),
            "segmentation": {"size": [IMAGE_SIZE, IMAGE_SIZE], "counts": run_lengths(instance.picture_mask())}}


def run_lengths(mask: np.ndarray) -> list[int]:
    """COCO's uncompressed run-length encoding of a mask (height, width): down the columns, zeros first."""
    import numpy as np

    flat = mask.ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff([0, *changes, flat.size]).tolist()
    return [0, *runs] if flat[0] else runs
