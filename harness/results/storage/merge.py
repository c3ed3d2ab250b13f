"""Joining results folders: what one has and the other has not, and where the two do not agree."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ...errors import StoreError
from ..record_file import Unreadable
from .store import Store


@dataclass
class Merged:
    """What became of the records of a folder: ``added``, ``known`` before, or left out because two do not agree."""

    added: list[Path] = field(default_factory=list)
    known: list[Path] = field(default_factory=list)
    left_out: list[Unreadable] = field(default_factory=list)


def merge(source: Store, into: Store) -> Merged:
    """Copy the records of ``source`` that ``into`` has not; a result takes the place of a failure.

    Records of one run agree when their numbers do (see :attr:`Record.numbers`); where they do not, that of ``into``
    stays. ``source`` is not changed.
    """
    done = Merged()
    known = {entry.identity: entry for entry in into.entries()[0]}
    entries, done.left_out = source.entries()
    for entry in entries:
        here = known.get(entry.identity)
        try:
            if here is None or (here.status == "failed" and entry.status == "ok"):
                done.added.append(into.put(entry.record()))
            elif here.numbers == entry.numbers or entry.status == "failed":
                done.known.append(entry.path)
            else:
                raise StoreError(f"{entry.path}: another result of run {entry.identity} than {here.path}",
                                 "Look at both: harness explain FILE; to take this one remove that, and merge again")
        except StoreError as error:
            done.left_out.append(Unreadable(entry.path, error.message, error.remedy))
    return done
