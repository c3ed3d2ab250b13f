"""Holding a run that was measured again against its committed record.

The band of a value is the larger of a floor and of what chance explains: three standard deviations over the seeds of
the committed records of the same cell, where there are several; else three standard errors of the difference, paired
over the same samples. Bit-operations are counted, not sampled: they may move by one percent, or by their seeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from .entry import Measured
from .environment_difference import EnvironmentDifference, environment_difference
from .statistics.differences import mean_sd
from .tables.ranking import difference

Verdict = Literal["identical", "reproduced", "not reproduced", "failed"]

#: Default floor of the band of a metric, in its own units (points of accuracy or AP).
TOLERANCE = 0.5
#: Floor of the band of a cost, as a share of the committed cost.
COST_TOLERANCE = 0.01
#: Width of a band in standard deviations or errors.
SIGMAS = 3.0
_BOPS = "BOPs (G)"
#: What has to be the same for two records to be identical.
_BITS = ("metrics", "per_sample", "costs")
#: What the seeds of one cell of a table share.
_SHARED = ("task", "scale", "model", "method", "bits", "fingerprint", "weights_hash", "calibration_size",
           "evaluation_limit", "budget", "configuration_hash")


@dataclass(frozen=True)
class HeldValue:
    """One value, measured and committed. ``because``: what the width of ``band`` comes from."""

    name: str
    committed: float
    measured: float
    band: float
    because: str

    @property
    def inside(self) -> bool:
        """Whether the two are no farther apart than the band is wide."""
        return abs(self.measured - self.committed) <= self.band


@dataclass(frozen=True)
class Reproduction:
    """One run measured again. ``changed``: how many samples have another result; ``None`` where that is not known."""

    committed: Measured
    measured: Measured
    values: tuple[HeldValue, ...]
    identical: bool
    changed: int | None
    environment: EnvironmentDifference

    @property
    def verdict(self) -> Verdict:
        """``identical`` to the last bit, ``reproduced`` within all bands, ``not reproduced``, or ``failed``."""
        if self.measured.status == "failed":
            return "failed"
        if self.identical:
            return "identical"
        return "reproduced" if all(value.inside for value in self.values) else "not reproduced"

    @property
    def broken_promise(self) -> bool:
        """Whether nothing differs that could explain that the two are not identical."""
        return self.environment.none and not self.identical


def reproduction(committed: Measured, measured: Measured, history: Iterable[Measured],
                 tolerance: float = TOLERANCE) -> Reproduction:
    """Hold ``measured`` against ``committed``, both of the same run; ``history``: all committed records."""
    environment = environment_difference(committed.environment, measured.environment)
    if measured.status == "failed":
        return Reproduction(committed, measured, (), False, None, environment)
    cell = [_values(record) for record in history if record.status == "ok" and _same_cell(record, committed)]
    again = _values(measured)
    values = []
    for name, value in _values(committed).items():
        floor = COST_TOLERANCE * value if name == _BOPS else tolerance
        pair = (committed, measured) if name == committed.main_metric else None
        chance, because = _chance([each[name] for each in cell if name in each], pair)
        band, because = (chance, because) if chance > floor else (floor, "floor")
        values.append(HeldValue(name, value, again[name], band, because))
    return Reproduction(committed, measured, tuple(values), _identical(committed, measured),
                        _changed(committed, measured), environment)


def _values(record: Measured) -> dict[str, float]:
    """What a table shows of a record."""
    values = {name: record.metrics[name] for name in (record.main_metric, *record.metrics_beside)}
    if record.costs and "plain" in record.costs.bops:
        values[_BOPS] = record.costs.bops["plain"] / 1e9
    return values


def _same_cell(one: Measured, other: Measured) -> bool:
    """Whether the two differ in nothing that was asked but the seed."""
    return all(getattr(one.asked, name) == getattr(other.asked, name) for name in _SHARED)


def _chance(over_seeds: Sequence[float], pair: tuple[Measured, Measured] | None) -> tuple[float, str]:
    """How far chance moves a value, and how that is known; ``pair`` where its samples can be paired."""
    if len(over_seeds) > 1:
        return SIGMAS * (mean_sd(over_seeds)[1] or 0.0), f"3 sd of {len(over_seeds)} seeds"
    found = difference([pair[1]], [pair[0]]) if pair else None
    return (0.0, "") if found is None else (SIGMAS * found.standard_error, f"3 s.e. of {found.samples} samples")


def _identical(committed: Measured, measured: Measured) -> bool:
    """Whether all that the committed record holds was measured again, to the last bit."""
    parts = ((getattr(committed, name), getattr(measured, name)) for name in _BITS)
    return all(before is None or _plain(before) == _plain(after) for before, after in parts)


def _plain(part: object) -> object:
    return part.model_dump(mode="json") if isinstance(part, BaseModel) else part


def _changed(committed: Measured, measured: Measured) -> int | None:
    one, other = committed.per_sample, measured.per_sample
    if one is None or other is None or (one.n, one.statistic) != (other.n, other.statistic) or one.metric.ragged:
        return None
    before, after = one.columns(), other.columns()
    return int(sum(before[name] != after[name] for name in before).astype(bool).sum())
