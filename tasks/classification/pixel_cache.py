"""Decoded pictures on disk, so that each is decoded and resized once per preprocessing.

One file holds a slot for each picture of a split: its pixels and their checksum. Slots are filled
as pictures are asked for; the file is sparse, so it takes as much disk as there are filled slots.
A slot that was never filled, or not completely (the process was killed), fails its checksum and is
filled again; two processes may fill the same file, because they write the same bytes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
import zlib
from pathlib import Path

import numpy as np

from harness import cache_folder

LIMIT_VARIABLE = "HARNESS_CACHE_GIB"
"""Environment variable: at most so much disk for decoded pictures (default 20 GiB, 0 for none)."""

_CHECKSUM = 4
_SALT = 0x5EED  # So that an empty slot (all zeros) does not match its checksum.


class PixelCache:
    """uint8 pictures of one shape by index, under a ``key`` that says what they are."""

    def __init__(self, key: str, shape: tuple[int, int, int], folder: Path | None = None) -> None:
        self._pixels = int(np.prod(shape))
        place = folder or cache_folder("classification/pixels") or self._temporary_folder()
        # Never more than half of what is free: others need the disk, and a temporary folder may be memory.
        self._room = min(_limit() - _used(place), shutil.disk_usage(place).free // 2)
        descriptor = os.open(place / key, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        weakref.finalize(self, self._file.close)

    def read(self, index: int, out: np.ndarray) -> bool:
        """Fill ``out`` with picture ``index``; False if it is not there."""
        self._file.seek(index * (self._pixels + _CHECKSUM))
        slot = self._file.read(self._pixels + _CHECKSUM)
        if slot is None or len(slot) < self._pixels + _CHECKSUM:
            return False
        pixels, checksum = memoryview(slot)[:self._pixels], slot[self._pixels:]
        if _checksum(pixels) != checksum:
            return False
        out[...] = np.frombuffer(pixels, dtype=np.uint8).reshape(out.shape)
        return True

    def write(self, index: int, picture: np.ndarray) -> None:
        """Keep picture ``index``, unless the limit is reached or the disk is full."""
        pixels = np.ascontiguousarray(picture).tobytes()
        if self._room < len(pixels):
            return
        try:
            self._file.seek(index * (self._pixels + _CHECKSUM))
            self._file.write(pixels + _checksum(pixels))
            self._room -= len(pixels)
        except OSError:  # A full disk: go on without keeping more.
            self._room = 0

    def _temporary_folder(self) -> Path:
        """A folder that is removed with this object, for a cache folder that cannot be written."""
        folder = tempfile.mkdtemp(prefix="harness-pixels-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)


def _checksum(pixels: bytes | memoryview) -> bytes:
    return zlib.crc32(pixels, _SALT).to_bytes(_CHECKSUM, "little")


def _limit() -> int:
    try:
        return int(float(os.environ.get(LIMIT_VARIABLE, "20")) * 2**30)
    except ValueError:
        return 0


def _used(folder: Path) -> int:
    """Bytes on disk of all files in ``folder`` (sparse files count what they fill, where the system says)."""
    total = 0
    for path in folder.iterdir():
        stat = path.stat()
        total += stat.st_blocks * 512 if hasattr(stat, "st_blocks") else stat.st_size
    return total
