"""What the page of a record shows, as text in groups; the template only lays it out."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ...results.entry import Measured
from ...results.explain import command
from ...results.options_text import as_settings
from ...results.record import Record
from ..grid import fixed, signed
from .coverage_rows import site_columns, site_rows

Pairs = list[tuple[str, str]]
#: Longer values of notes are left to the JSON file.
_LONG = 600


@dataclass(frozen=True)
class RecordView:
    """The texts of a record's page. ``metrics``: name, value, full precision, drop. ``sites``: how many were quantized;
    ``site_rows``: a line of HTML each.
    """

    record: Record
    title: str
    asked: Pairs
    configuration: tuple[str, ...]
    command: str
    typed: str
    metrics: list[tuple[str, str, str, str]]
    reference: Pairs
    costs: Pairs
    coverage: Pairs
    site_columns: tuple[str, ...]
    sites: int
    site_rows: str
    calibration: Pairs
    times: Pairs
    notes: Pairs
    environment: Pairs
    packages: Pairs


def record_view(record: Record, reference: Measured | None) -> RecordView:
    """The page of ``record``; ``reference``: its full-precision record, where it is among the results."""
    asked, machine = record.asked, record.environment
    coverage = record.coverage if isinstance(record.coverage, Mapping) else {}
    sites = [site for site in coverage.get("quantized", []) if isinstance(site, Mapping)]
    return RecordView(
        record=record, title=f"{asked.method} {asked.bits} on {asked.task}", asked=_asked(record),
        configuration=_settings(asked.method, json.dumps(asked.configuration)), command=command(record),
        typed=shlex.join(machine.command), metrics=_metrics(record, reference), reference=_reference(record),
        costs=_costs(record), coverage=[(_words(name), _brief(value)) for name, value in coverage.items()
                                        if name != "quantized"],
        site_columns=site_columns(sites), sites=len(sites), site_rows=site_rows(sites),
        calibration=_calibration(record), times=_times(record),
        notes=[(name, _brief(value)) for name, value in sorted(record.notes.items())],
        environment=[(_words(name), _brief(value)) for name, value in machine.model_dump().items()
                     if name not in ("packages", "command")] + [("created", record.created)],
        packages=sorted(machine.packages.items()))


@lru_cache(maxsize=256)
def _settings(method: str, configuration: str) -> tuple[str, ...]:
    return tuple(as_settings(json.loads(configuration), method))


def _asked(record: Record) -> Pairs:
    asked = record.asked
    pairs = [("task", asked.task), ("scale", asked.scale), ("model", asked.model), ("method", asked.method),
             ("bits (weights/activations)", asked.bits), ("seed", str(asked.seed)), ("training budget", asked.budget),
             ("calibration samples", str(asked.calibration_size)),
             ("evaluation samples", "all" if asked.evaluation_limit is None else f"first {asked.evaluation_limit}"),
             ("data fingerprint", asked.fingerprint), ("weights", asked.weights_hash), ("identity", record.identity)]
    return [pair for pair in pairs if pair[1]]


def _metrics(record: Record, reference: Measured | None) -> list[tuple[str, str, str, str]]:
    """The main metric first, then those shown beside it, then the others."""
    first = [record.main_metric, *record.metrics_beside]
    full = dict(reference.metrics) if reference else {}
    if record.reference:
        full.setdefault(record.main_metric, record.reference.value)
    rows = []
    for name in sorted(record.metrics, key=lambda name: (first.index(name) if name in first else len(first), name)):
        value, other = record.metrics[name], full.get(name)
        rows.append((name, fixed(value, 2), "" if other is None else fixed(other, 2),
                     "" if other is None else fixed(other - value, 2)))
    return rows


def _reference(record: Record) -> Pairs:
    reference = record.reference
    if reference is None:
        return []
    if reference.published is None:
        return [("gate", "unknown: nothing is published for exactly this checkpoint and these data")]
    return [("gate", reference.gate), ("published", fixed(reference.published, 2)),
            ("measured minus published", signed(reference.value - reference.published, 2)),
            ("tolerance", "none" if reference.tolerance is None else f"{reference.tolerance:g}")]


def _costs(record: Record) -> Pairs:
    costs = record.costs
    if costs is None:
        return []
    return [("multiply-accumulates", f"{costs.macs:,}"), ("parameters", f"{costs.parameters:,}"),
            *((f"bit-operations, {name}", f"{bops / 1e9:,.3f} G") for name, bops in sorted(costs.bops.items())),
            *((f"size, {name}", f"{size / 1e6:,.3f} MB") for name, size in sorted(costs.sizes.items()))]


def _calibration(record: Record) -> Pairs:
    drawn = record.calibration
    return [] if drawn is None else [("hash of the set (SHA-256)", drawn.sha256), ("split", drawn.split),
                                     ("samples", str(drawn.size)), ("seed of the draw", str(drawn.seed))]


def _times(record: Record) -> Pairs:
    memory = [] if record.peak_memory is None else [("peak memory", f"{record.peak_memory / 2**20:,.0f} MiB")]
    return [*((phase, f"{seconds:,.2f} s") for phase, seconds in record.timings.items()), *memory]


def _brief(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return _listed(value)
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONG else f"{len(value)} entries; see the JSON file"


def _listed(items: Iterable[str]) -> str:
    return ", ".join(items) or "none"


def _words(name: str) -> str:
    return name.replace("_", " ")
