"""Layouts of picture files: a tree of class folders, or one folder with a csv file of labels."""

from __future__ import annotations

import csv
import os
import re
import stat
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from harness import DataError

from .image_sets import ImageSet
from .split import FileSplit, Listed

SUFFIXES = (".jpeg", ".jpg", ".png", ".bmp", ".webp", ".ppm", ".tif", ".tiff")
CLASSES_FILE = "classes.tsv"
_FILE_COLUMNS = ("file", "file_name", "filename")


def tree_split(root: Path, name: str, image_set: ImageSet) -> FileSplit | None:
    """``root/name/CLASS/.../picture``; None if ``root/name`` has no class folders."""
    folder = root / name
    classes = _class_folders(folder)
    if not classes:
        return None
    indices = _class_indices(root, image_set)
    unknown = [class_name for class_name in classes if class_name not in indices]
    if unknown:
        raise DataError(f"class folder {folder / unknown[0]} is not one of the {image_set.classes} classes of "
                        f"{image_set.title}", f"Rename it, or list it in {root / CLASSES_FILE} (index, folder)")
    return FileSplit(folder, (
        Listed(os.path.relpath(entry.path, folder).replace(os.sep, "/"), indices[class_name],
               (found := entry.stat()).st_size, found.st_mtime_ns)
        for class_name in classes for entry in _pictures(folder / class_name)))


def _class_folders(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _pictures(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _pictures(Path(entry.path))
            elif entry.name.lower().endswith(SUFFIXES):
                yield entry


def _class_indices(root: Path, image_set: ImageSet) -> Mapping[str, int]:
    """Class folder -> index, from the surest source that there is; never a guess."""
    names = sorted({name for split in ("train", "val", "validation", "test") for name in _class_folders(root / split)})
    if (root / CLASSES_FILE).is_file():
        return _listed_classes(root / CLASSES_FILE, image_set)
    if all(name.isdecimal() for name in names):
        return {name: int(name) for name in names if int(name) < image_set.classes}
    if image_set.name == "imagenet" and all(re.fullmatch(r"n\d{8}", name) for name in names):
        return _wordnet_ids()
    if len(names) == image_set.classes:
        return {name: index for index, name in enumerate(names)}
    raise DataError(f"{root} has {len(names)} class folders, but {image_set.title} has {image_set.classes} classes, so "
                    "the index of each cannot be told",
                    f"Add {root / CLASSES_FILE} with the columns index and folder, or name the folders by index")


def _listed_classes(path: Path, image_set: ImageSet) -> Mapping[str, int]:
    indices: dict[str, int] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE), start=1):
            if number == 1 and row and not row[0].isdecimal():
                continue
            if len(row) < 2 or not row[0].isdecimal() or int(row[0]) >= image_set.classes:
                raise DataError(f"{path} line {number} is not an index from 0 to {image_set.classes - 1}, a tab, and "
                                "the name of a class folder", "Correct the line")
            indices[row[1]] = int(row[0])
    return indices


@cache
def _wordnet_ids() -> Mapping[str, int]:
    """The 1000 ImageNet classes in their order, from timm's own list (found without importing timm)."""
    package = find_spec("timm")
    for location in (package.submodule_search_locations or ()) if package else ():
        path = Path(location) / "data" / "_info" / "imagenet_synsets.txt"
        if path.is_file():
            return {name: index for index, name in enumerate(path.read_text(encoding="ascii").split())}
    raise DataError("timm's list of the ImageNet classes is missing", "Reinstall timm, or add classes.tsv to the data")


def csv_split(root: Path, name: str, image_set: ImageSet) -> FileSplit | None:
    """``root/name.csv`` (or ``root/name/metadata.csv``) beside ``root/name/``; None if there is none."""
    folder = root / name
    table = next((path for path in (root / f"{name}.csv", folder / "metadata.csv") if path.is_file()), None)
    if table is None:
        return None
    if not folder.is_dir():
        raise DataError(f"{table} lists pictures, but there is no folder {folder}", "Put the pictures into that folder")
    try:
        return FileSplit(folder, _listed_files(table, folder, image_set))
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{table} cannot be read: {error}", "It must be a csv file in UTF-8") from error


def _listed_files(table: Path, folder: Path, image_set: ImageSet) -> Iterator[Listed]:
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        file_column = next((column for column in _FILE_COLUMNS if column in (rows.fieldnames or ())), None)
        label_column = next((column for column in image_set.label_columns if column in (rows.fieldnames or ())), None)
        if file_column is None or label_column is None:
            raise DataError(f"{table} has the columns {', '.join(rows.fieldnames or ()) or '(none)'}",
                            f"It needs 'file' (relative to {folder.name}/) and '{image_set.label_columns[0]}'")
        seen: set[str] = set()
        for row in rows:
            name, where = row[file_column] or "", f"{table} line {rows.line_num}"
            label = (row[label_column] or "").strip()
            if not label.isdecimal() or int(label) >= image_set.classes:
                raise DataError(f"{where}: label {label!r} is not an index from 0 to {image_set.classes - 1}",
                                f"Labels are class indices of {image_set.title}")
            if name in seen:
                raise DataError(f"{where} names {name!r} a second time", "List each picture once")
            seen.add(name)
            found = _file_stat(folder / name)
            if found is None:
                raise DataError(f"{where} names {name!r}, which is not in {folder}",
                                "Add the picture or take the line out")
            yield Listed(name, int(label), found.st_size, found.st_mtime_ns)


def _file_stat(path: Path) -> os.stat_result | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None
