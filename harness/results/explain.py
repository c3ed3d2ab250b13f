"""Everything that a record says, as text for a person."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .options_text import as_settings
from .record import Record


def explain(record: Record) -> str:
    """The whole record: what was asked, measured, compared, quantized and spent, and how to repeat it."""
    asked = record.asked
    title = f"{asked.method} {asked.bits} on {asked.task} ({asked.model}, {asked.scale} scale), seed {asked.seed}"
    parts = [f"{title}: {record.status}"]
    if record.notice:
        parts.append(record.notice)
    sections = {
        "Identity": [f"{record.identity} = hash of", *_pairs(asked.model_dump())],
        "Failure": _pairs(record.failure.model_dump()) if record.failure else [],
        "Metrics": [*_pairs(record.metrics, first=record.main_metric), *_samples(record)],
        "Reference": _reference(record),
        "Calibration": _pairs(record.calibration.model_dump()) if record.calibration else [],
        "Coverage": _coverage(record.coverage),
        "Costs of one sample": _costs(record),
        "Notes of the method": _pairs(record.notes),
        "Time in seconds": _pairs(record.timings) + _memory(record),
        "Environment": [*_pairs(record.environment.model_dump()), f"created: {record.created}",
                        f"schema_version: {record.schema_version}"],
        "To repeat it": [command(record), *_as_typed(record)],
    }
    parts += [f"{head}\n" + "\n".join(f"  {line}" for line in lines) for head, lines in sections.items() if lines]
    return "\n\n".join(parts) + "\n"


def command(record: Record) -> str:
    """The command that does this one run again. Where data and weights lie is not in a record."""
    asked = record.asked
    words = ["harness", "run", "--methods", asked.method, "--task", asked.task, "--scale", asked.scale,
             "--model", asked.model]
    if not record.is_reference:
        words += ["--bits", asked.bits, "--seeds", str(asked.seed), "--calibration", str(asked.calibration_size)]
    if asked.budget:
        words += ["--budget", asked.budget]
    if asked.evaluation_limit is not None:
        words += ["--limit", str(asked.evaluation_limit)]
    for setting in as_settings(record.options, asked.method):
        words += ["--set", setting]
    return shlex.join([*words, "--force"])


def _as_typed(record: Record) -> list[str]:
    if not record.environment.command:
        return []
    return [f"(it was part of: {shlex.join(record.environment.command)})",
            f"(with --data and --weights, where given, that have the fingerprints {record.asked.fingerprint} and "
            f"{record.asked.weights_hash})"]


def _reference(record: Record) -> list[str]:
    reference = record.reference
    if reference is None:
        return []
    lines = [f"full precision, run {reference.identity}: {reference.value:.2f}"]
    if record.status == "ok" and not record.is_reference:
        lines.append(f"drop: {reference.value - record.value:.2f}")
    if reference.published is None:
        return [*lines, "gate: unknown (nothing is published for exactly this checkpoint and these data)"]
    return [*lines, f"gate: {reference.gate}; published {reference.published:.2f} ({reference.deviation:+.2f}, "
            f"tolerance {reference.tolerance})"]


def _samples(record: Record) -> list[str]:
    kept = record.per_sample
    return [] if kept is None else [f"per sample: {kept.n} values kept ({kept.encoding})"]


def _costs(record: Record) -> list[str]:
    costs = record.costs
    if costs is None:
        return []
    return [f"multiply-accumulates: {costs.macs:,}",
            *(f"bit-operations, {name}: {bops / 1e9:,.3f} G" for name, bops in sorted(costs.bops.items())),
            f"parameters: {costs.parameters:,}",
            *(f"size, {name}: {size / 1e6:,.3f} MB" for name, size in sorted(costs.sizes.items()))]


def _memory(record: Record) -> list[str]:
    return [] if record.peak_memory is None else [f"peak memory: {record.peak_memory / 2**20:,.0f} MiB"]


COVERAGE_COLUMNS = ("site", "role", "quantizer", "bits", "granularity", "groups", "dynamic")


def _coverage(coverage: Any) -> list[str]:
    """A table of the quantized sites; then what stayed in full precision, and all else that coverage says."""
    if not isinstance(coverage, Mapping):
        return [str(coverage)] if coverage else []
    rest = dict(coverage)
    sites = rest.pop("quantized", [])
    rows = [[_short(site.get(column, "")) for column in COVERAGE_COLUMNS] for site in sites]
    return [*_aligned([list(COVERAGE_COLUMNS), *rows]), *_pairs(rest)] if rows else _pairs(rest)


def _short(value: Any) -> str:
    """A list of equal or of many values in few characters."""
    if isinstance(value, list) and value:
        distinct = sorted(set(map(str, value)))
        return distinct[0] if len(distinct) == 1 else f"{'|'.join(distinct)} ({len(value)} slots)"
    return str(value)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _pairs(values: Mapping[str, Any], first: str = "") -> list[str]:
    """``key: value`` lines, nested values indented, empty texts left out; ``first`` comes first."""
    lines: list[str] = []
    for key in sorted(values, key=lambda key: key != first):
        if values[key] != "":
            lines += _pair(str(key), values[key])
    return lines


def _pair(key: str, value: Any) -> Iterable[str]:
    if isinstance(value, Mapping) and value:
        return [f"{key}:", *(f"  {line}" for line in _pairs(value))]
    if isinstance(value, str) and "\n" in value:
        return [f"{key}:", *(f"  {line}" for line in value.rstrip().splitlines())]
    if isinstance(value, list | tuple):
        return [f"{key}: {', '.join(map(str, value)) or 'none'}"]
    if isinstance(value, float):
        return [f"{key}: {value:.6g}"]
    return [f"{key}: {value}"]
