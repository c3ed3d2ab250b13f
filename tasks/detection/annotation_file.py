"""Reading one of COCO's annotation files, once: what it lists, and everything that can be wrong with it.

The file of train2017 has 450 MB, so what was found in a file is remembered by the file's hash.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from harness import DataError, cache_folder, digest, file_hash

_FORM = 1  # Of what is remembered and which checks it passed: change it with either.
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "images": ("id", "file_name", "width", "height"),
    "annotations": ("id", "image_id", "category_id", "bbox", "area", "iscrowd"),
    "categories": ("id", "name")}
_AGAIN = "Get the file again: https://cocodataset.org/#download"


class Named(NamedTuple):
    """A picture or a category: COCO's id of it, and its (file) name."""

    id: int
    name: str


@dataclass(frozen=True)
class Annotations:
    """What an annotation file lists: its hash, its pictures and its categories, each in the file's order."""

    sha256: str
    pictures: tuple[Named, ...]
    categories: tuple[Named, ...]


def read_annotations(path: Path) -> Annotations:
    """What the file lists. Raises :class:`DataError` where it is damaged or contradicts itself."""
    sha256 = file_hash(path)
    folder = cache_folder("detection/annotations")
    remembered = folder / digest([f"{_FORM} {sha256}"]) if folder else None
    if remembered is not None:
        try:
            return _listed(sha256, *json.loads(remembered.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):  # Not there, or damaged: read the file itself.
            pass
    images, categories = _checked(path, _content(path))
    listed = ([(image["id"], image["file_name"]) for image in images],
              [(category["id"], category["name"]) for category in categories])
    if remembered is not None:
        _remember(remembered, listed)
    return _listed(sha256, *listed)


def _listed(sha256: str, pictures: Iterable[Iterable[Any]], categories: Iterable[Iterable[Any]]) -> Annotations:
    return Annotations(sha256, *(tuple(Named(*entry) for entry in entries) for entries in (pictures, categories)))


def _remember(path: Path, content: Any) -> None:
    temporary = path.with_suffix(f".{os.getpid()}")
    try:
        temporary.write_text(json.dumps(content), encoding="utf-8")
        temporary.replace(path)
    except OSError:  # A full disk costs the next run some seconds, not this run its result.
        temporary.unlink(missing_ok=True)


def _content(path: Path) -> Mapping[str, list[dict[str, Any]]]:
    """The lists of the file, each entry with what it needs."""
    encoded = path.read_bytes()
    try:
        content = json.loads(encoded, object_hook=_without_outline)
    except ValueError as error:
        if _cut_short(encoded.strip(), error):
            raise DataError(f"{path} ends in the middle, after {len(encoded):,} bytes: its download was cut short",
                            _AGAIN) from error
        raise DataError(f"{path} is not JSON: {error}", _AGAIN) from error
    for part, needed in _NEEDED.items():
        entries = content.get(part) if isinstance(content, dict) else None
        if not isinstance(entries, list):
            raise DataError(f"{path} is no COCO annotation file of instances: it has no list {part!r}",
                            "It must be in the form of COCO's instances_val2017.json")
        for place, entry in enumerate(entries):
            lacking = [key for key in needed if not isinstance(entry, dict) or key not in entry]
            if lacking:
                raise DataError(f"{path}: entry {place} of {part!r} has no {lacking[0]!r}",
                                "It must be in the form of COCO's instances_val2017.json")
    return content


def _cut_short(encoded: bytes, error: ValueError) -> bool:
    """Whether a file that is not JSON is the beginning of a JSON object."""
    if isinstance(error, json.JSONDecodeError) and error.pos >= len(error.doc.rstrip()):
        return True
    return encoded.startswith(b"{") and not encoded.endswith(b"}")


def _without_outline(entry: dict[str, Any]) -> dict[str, Any]:
    """Outlines are most of the file; nothing here looks at them, so they do not stay in memory."""
    entry.pop("segmentation", None)
    return entry


def _checked(path: Path, content: Mapping[str, list[dict[str, Any]]]) -> tuple[list[dict], list[dict]]:
    images, annotations, categories = (content[part] for part in _NEEDED)
    if not images:
        raise DataError(f"{path} lists no pictures", _AGAIN)
    for part, entries, key in (("images", images, "id"), ("images", images, "file_name"),
                               ("annotations", annotations, "id"), ("categories", categories, "id")):
        seen: set[Any] = set()
        for entry in entries:
            if entry[key] in seen:
                raise DataError(f"{path}: {part!r} has the {key} {entry[key]!r} twice", _AGAIN)
            seen.add(entry[key])
    if not annotations:
        raise DataError(f"{path} has no annotations: there is no ground truth to measure against",
                        "The files of instances_train2017 and instances_val2017 have them; those of test2017 do not")
    for key, kind, known in (("image_id", "picture", {image["id"] for image in images}),
                             ("category_id", "category", {category["id"] for category in categories})):
        strangers = [annotation for annotation in annotations if annotation[key] not in known]
        if strangers:
            raise DataError(
                f"{len(strangers):,} of {len(annotations):,} annotations in {path} belong to a {kind} that the file "
                f"does not list (the first: annotation {strangers[0]['id']}, {kind} {strangers[0][key]})",
                f"The file was damaged or badly cut out of a larger one. {_AGAIN}")
    return images, categories
