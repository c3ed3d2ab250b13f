"""One split of an image set as it lies on disk: names, labels, and the bytes of each picture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import DataError, digest


class Split(ABC):
    """A fixed, ordered list of labelled pictures.

    Attributes:
        names: stable names, the same on every machine that has these data.
        labels: class index of each picture.
        fingerprint: hash of what names, sizes and labels say; no pixels are read for it.
        stamp: hash that also changes when a file is written anew; a key for caches on this machine.
    """

    names: Sequence[str]
    labels: Sequence[int]
    fingerprint: str
    stamp: str

    @abstractmethod
    def read(self, index: int) -> bytes:
        """The encoded picture (JPEG, PNG, ...); may be called from several threads."""

    @abstractmethod
    def place(self, index: int) -> str:
        """Where the picture lies, for messages."""


@dataclass(frozen=True)
class Listed:
    """One file of a split: its name relative to the split's folder, and its label."""

    name: str
    label: int
    size: int
    modified: int


class FileSplit(Split):
    """Pictures in files under one folder."""

    def __init__(self, folder: Path, files: Iterable[Listed]) -> None:
        listed = sorted(files, key=lambda file: file.name)
        self._folder = folder
        self.names = [file.name for file in listed]
        self.labels = [file.label for file in listed]
        self.fingerprint = digest(f"{file.name}|{file.size}|{file.label}" for file in listed)
        self.stamp = digest(f"{file.name}|{file.size}|{file.label}|{file.modified}" for file in listed)

    def read(self, index: int) -> bytes:
        path = self._folder / self.names[index]
        try:
            return path.read_bytes()
        except OSError as error:
            raise DataError(f"picture {path} cannot be read: {error.strerror}",
                            "Check the file and its rights") from error

    def place(self, index: int) -> str:
        return str(self._folder / self.names[index])
