"""Two records of one run: which to show, and when to show neither."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from .entry import Measured

Kind = TypeVar("Kind", bound=Measured)


def distinct(records: Iterable[Kind]) -> tuple[list[Kind], list[tuple[Kind, ...]]]:
    """One record a run, and the runs whose records do not agree in their numbers (see :attr:`Record.numbers`).

    A failure gives way to a result; among records that agree the oldest counts. Both lists are in the order of the
    identities, whatever the order of ``records``.
    """
    records = list(records)
    known = {record.identity: record for record in records}
    if len(known) == len(records):  # nearly always, and much faster
        return [known[identity] for identity in sorted(known)], []
    runs: dict[str, list[Kind]] = {}
    for record in records:
        runs.setdefault(record.identity, []).append(record)
    kept: list[Kind] = []
    conflicts: list[tuple[Kind, ...]] = []
    for identity in sorted(runs):
        members = runs[identity]
        if len(members) > 1:
            members = [member for member in members if member.status == "ok"] or members
            members = sorted(members, key=lambda member: (member.created, sorted(member.timings.items())))
            if len({member.numbers for member in members}) > 1:
                conflicts.append(tuple(members))
                continue
        kept.append(members[0])
    return kept, conflicts
