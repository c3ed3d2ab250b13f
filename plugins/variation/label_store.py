"""Soft labels on disk: one file with a place for every view of every sample.

The file is sparse, so that it takes as much disk as there are labels. Every place ends with a checksum: one that was
never filled, or not completely because the process was killed, is empty. Several processes may fill the same file,
because they write the same labels.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
import zlib
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np

from harness import View, cache_folder

#: Fixed views of a sample that are stored; seeds beyond it belong to views that will not come again.
LARGEST_BANK = 65_536

_SALT = 0x50F7  # So that an empty place (all zeros) does not match its checksum.


class LabelStore:
    """The labels of one teacher on one training set; ``key`` says which, ``samples`` how many there are.

    A label is ``count`` probabilities in half precision with their classes. Where the cache folder cannot be written, a
    temporary file takes its place for the length of the process.
    """

    def __init__(self, key: str, samples: int, classes: int, count: int) -> None:
        self._samples = samples
        self._label = np.dtype([("kept", "<f2", (count,)), ("order", "<u2" if classes <= 65_536 else "<u4", (count,))])
        self._size = self._label.itemsize + 4
        self._file, folder = _opened(key)
        weakref.finalize(self, self._file.close)
        # Never more than half of what is free: others need the disk.
        self._room = shutil.disk_usage(folder).free // 2

    def read(self, views: Sequence[View]) -> tuple[np.ndarray, np.ndarray]:
        """The labels (views,) with fields ``kept`` and ``order``, and which of them were there, bool (views,)."""
        labels, found = np.zeros(len(views), self._label), np.zeros(len(views), bool)
        for number, place in enumerate(map(self._place, views)):
            if place is not None:
                self._file.seek(place)
                stored = self._file.read(self._size)
                if len(stored) == self._size and _checksum(stored[:-4]) == stored[-4:]:
                    labels[number], found[number] = np.frombuffer(stored[:-4], self._label)[0], True
        return labels, found

    def write(self, views: Sequence[View], kept: np.ndarray, order: np.ndarray) -> np.ndarray:
        """Keep labels, both (views, count), until the disk has no room; returns them as :meth:`read` does."""
        labels = np.zeros(len(views), self._label)
        labels["kept"], labels["order"] = kept, order
        for label, place in zip(labels, map(self._place, views), strict=True):
            if place is not None and self._room >= self._size:
                try:
                    self._file.seek(place)
                    self._file.write(label.tobytes() + _checksum(label.tobytes()))
                    self._room -= self._size
                except OSError:  # a full disk: go on without keeping more
                    self._room = 0
        return labels

    def _place(self, view: View) -> int | None:
        """Where the view's label lies: first those of views without a seed, then those of seed 0, 1, ..."""
        if view.seed is not None and view.seed >= LARGEST_BANK:
            return None
        return ((0 if view.seed is None else view.seed + 1) * self._samples + view.index) * self._size


def _opened(key: str) -> tuple[BinaryIO, str]:
    """The file, unbuffered, and its folder."""
    folder = cache_folder("classification/soft_labels")
    if folder is None:
        temporary = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - open for the store's life
        return temporary, tempfile.gettempdir()
    descriptor = os.open(folder / key, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
    return os.fdopen(descriptor, "r+b", buffering=0), str(folder)


def _checksum(label: bytes) -> bytes:
    return zlib.crc32(label, _SALT).to_bytes(4, "little")
