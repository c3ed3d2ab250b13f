"""Which runs repeat a study or a record, each with the committed record that it is to be held against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import DataError
from ..registry import Registry
from ..results.entry import Measured, MeasuredAsked
from ..results.record import FULL_PRECISION
from ..results.storage.store import Store
from .plan import Planned, make_plan
from .study import Study

#: What is the same in a run and the record that was meant.
_FIXED = ("task", "scale", "model", "method", "bits", "seed")
#: What else may differ, most telling first: how it is called, and what the user can do.
_MAY_DIFFER = {
    "fingerprint": ("other data", "Give the data that were used: --data FOLDER"),
    "weights_hash": ("another checkpoint", "Give the checkpoint that was used: --weights FILE"),
    "configuration_hash": ("other options, given or by their defaults of then",
                           "Give the options that were used; or record it anew with today's: harness run"),
    "calibration_size": ("another calibration size", "Give the number that was used: calibration = N in the study"),
    "evaluation_limit": ("another number of evaluation samples", "Give the number that was used: limit = N"),
    "budget": ("another budget", "Give the budget that was used: budget = ..."),
}


def study_of(record: Measured) -> dict[str, Any]:
    """The keys of the study that asks for one record's run; data and weights of full scale are not in a record."""
    asked = record.asked
    keys: dict[str, Any] = {"methods": [asked.method], "task": [asked.task], "bits": [asked.bits],
                            "seeds": [asked.seed], "scale": asked.scale, "model": [asked.model]}
    optional = {"set": {asked.method: record.options} if record.options else None, "limit": asked.evaluation_limit,
                "calibration": asked.calibration_size or None, "budget": [asked.budget] if asked.budget else None}
    return keys | {key: value for key, value in optional.items() if value is not None}


def to_repeat(studies: Iterable[Study], registry: Registry, committed: Mapping[str, Measured],
              output: Store) -> list[Planned]:
    """The runs of ``studies`` that are not yet in ``output``, and those that are; each once.

    The full-precision run of a study is among them, committed or not, because the others are compared with it.
    Raises :class:`harness.DataError` for a run that is impossible or has no committed record that is ok.
    """
    planned: dict[str, Planned] = {}
    for study in studies:
        for item in make_plan(study, registry, output):
            planned.setdefault(item.run.identity, item)
            if item.state == "impossible":
                raise DataError(f"{item.run.label} is not possible: {item.reason}")
            record = committed.get(item.run.identity)
            wanted = item.run.method != FULL_PRECISION or study.methods == (FULL_PRECISION,)
            if wanted and (record is None or record.status != "ok"):
                raise _not_committed(item, list(committed.values()))
    return list(planned.values())


def _not_committed(item: Planned, committed: Sequence[Measured]) -> DataError:
    """What to say of a run without a record: in what the most similar record differs."""
    asked = item.run.asked
    different = min((_differences(asked, record.asked) for record in committed
                     if record.status == "ok" and _alike(asked, record.asked)), key=len, default=())
    if not different:
        return DataError(f"there is no committed record of {item.run.label} ({item.run.identity})",
                         "Record it first, by harness run with the same study; or name its folder: --results")
    words = " and ".join(_MAY_DIFFER[name][0] for name in different)
    return DataError(f"the committed record of {item.run.label} has {words}", _MAY_DIFFER[different[0]][1])


def _alike(one: MeasuredAsked, other: MeasuredAsked) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in _FIXED)


def _differences(one: MeasuredAsked, other: MeasuredAsked) -> tuple[str, ...]:
    return tuple(name for name in _MAY_DIFFER if getattr(one, name) != getattr(other, name))
