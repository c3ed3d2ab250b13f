"""Tiny made pictures, and folders of them."""

from __future__ import annotations

import csv
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image


def picture(number: int, size: tuple[int, int] = (40, 32)) -> bytes:
    """A PNG whose pixels depend on ``number``."""
    rng = np.random.default_rng(number)
    buffer = BytesIO()
    Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).save(buffer, "png")
    return buffer.getvalue()


def write(path: Path, content: bytes) -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def csv_set(root: Path, train: int = 6, evaluation: int = 4, classes: int = 10) -> Path:
    """``train/``, ``train.csv``, ``val/``, ``val.csv``."""
    for split, count, first in (("train", train, 100), ("val", evaluation, 0)):
        (root / split).mkdir(parents=True, exist_ok=True)
        with (root / f"{split}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["file", "label", "source"])
            for number in range(count):
                write(root / split / f"{number}.png", picture(first + number))
                rows.writerow([f"{number}.png", number % classes, "made"])
    return root
