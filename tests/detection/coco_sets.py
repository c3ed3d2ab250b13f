"""Small made COCO folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

#: COCO's 80 category ids: 1 to 90 without these ten.
CATEGORY_IDS = [number for number in range(1, 91) if number not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)]


def content(first: int, count: int) -> dict[str, Any]:
    """An annotation file of ``count`` pictures with ids from ``first``, an annotation on each."""
    numbers = range(first, first + count)
    return {
        "images": [{"id": number, "file_name": f"{number:012}.jpg", "width": 64, "height": 48} for number in numbers],
        "annotations": [{"id": number, "image_id": number, "category_id": CATEGORY_IDS[number % 80], "iscrowd": 0,
                         "bbox": [1, 2, 10, 12], "area": 100, "segmentation": [[1, 2, 11, 2, 11, 14, 1, 14]]}
                        for number in numbers],
        "categories": [{"id": number, "name": f"thing {number}"} for number in CATEGORY_IDS]}


def coco_set(root: Path, train: int = 6, val: int = 4, *, year: str = "2017", images: str = "{split}2017") -> Path:
    """A folder with the pictures of train (ids from 100) and val (ids from 1)."""
    for split, count, first in (("train", train, 100), ("val", val, 1)):
        listed = content(first, count)
        write(root, split, listed, year)
        folder = root / images.format(split=split)
        folder.mkdir(parents=True, exist_ok=True)
        for image in listed["images"]:
            (folder / image["file_name"]).write_bytes(b"picture" * image["id"])
    return root


def write(root: Path, split: str, listed: Any, year: str = "2017") -> Path:
    """Write an annotation file."""
    path = root / "annotations" / f"instances_{split}{year}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(listed))
    return path
