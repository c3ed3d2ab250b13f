"""One method at one bit-width, over its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..entry import Measured
from ..published import PublishedRow
from ..statistics.differences import Difference, mean, mean_sd

#: The phases that are the method's own work; building the task, evaluating and counting costs are the harness's.
METHOD_PHASES = ("allocate", "place", "calibrate", "train")
#: The bits of the full-precision row.
FULL_PRECISION_WIDTH = "32/32"


@dataclass(frozen=True)
class Cell:
    """One method at one bit-width, over its seeds. Numbers are ``None`` where nothing is known.

    ``value``: mean of the main metric; ``sd`` over seeds, where there are several. ``drop``: full precision
    minus ``value``. ``bops``: bit-operations for one sample; ``size``: bytes of the model. ``seconds``: what the
    method took to allocate, calibrate and train. ``memory``: most bytes that the process has held. ``speed``:
    samples evaluated in a second, with quantization *simulated*. ``difference``: to ``compared_with`` (a row's
    label). ``failed``: seeds without a result. ``beside``: means of further metrics. ``published``: what papers
    print for the same method, model and bits.
    """

    bits: str
    seeds: tuple[int, ...]
    failed: tuple[int, ...]
    identities: tuple[str, ...]
    value: float | None
    sd: float | None
    drop: float | None
    bops: float | None
    size: float | None
    seconds: float | None = None
    memory: float | None = None
    speed: float | None = None
    rank: int | None = None
    tied: bool = False
    difference: Difference | None = None
    compared_with: str = ""
    beside: Mapping[str, float] = field(default_factory=dict)
    published: tuple[PublishedRow, ...] = ()

    @property
    def is_reference(self) -> bool:
        """Whether this is the full-precision row."""
        return self.bits == FULL_PRECISION_WIDTH


def make_cell(bits: str, group: Sequence[Measured], full: float | None, samples: int | None, convention: str,
              **ranking: Any) -> Cell:
    """The cell of ``group``, one record a seed. ``full``: the full-precision figure; ``samples``: how many each was
    evaluated on.
    """
    group = sorted(group, key=lambda record: (record.asked.seed, record.identity))
    done = [record for record in group if record.status == "ok"]
    value, sd = mean_sd([record.value for record in done]) if done else (None, None)
    costs = [cost for cost in [record.costs for record in done] if cost]
    timings = [record.timings for record in done]
    memory = [held for held in [record.peak_memory for record in done] if held is not None]
    return Cell(
        bits=bits, seeds=tuple([record.asked.seed for record in done]),
        failed=tuple([record.asked.seed for record in group if record.status == "failed"]),
        identities=tuple([record.identity for record in group]), value=value, sd=sd,
        drop=None if full is None or value is None else full - value,
        bops=_mean([cost.bops.get(convention) for cost in costs]),
        size=_mean([cost.sizes.get(convention, cost.sizes.get("plain")) for cost in costs]),
        seconds=_mean([_seconds(timing) for timing in timings]), memory=max(memory, default=None),
        speed=_mean([_speed(samples, timing.get("evaluate")) for timing in timings]), beside=_beside(done), **ranking)


def _seconds(timings: Mapping[str, float]) -> float | None:
    spent = [timings[phase] for phase in METHOD_PHASES if phase in timings]
    return sum(spent) if spent else None


def _speed(samples: int | None, seconds: float | None) -> float | None:
    return samples / seconds if samples and seconds else None


def _beside(done: Sequence[Measured]) -> dict[str, float]:
    """Means of the metrics to show beside the main one, of those that all of the records have."""
    wanted = dict.fromkeys([name for record in done for name in record.metrics_beside])
    metrics = [record.metrics for record in done] if wanted else []
    return {name: mean([each[name] for each in metrics]) for name in wanted
            if all(name in each for each in metrics)}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if known else None
