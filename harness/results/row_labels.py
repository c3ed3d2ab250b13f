"""What the rows of a table are called: a method, the ablation or the options it was run with, its budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .identity import digest
from .options_text import as_settings
from .record import Record

#: Method -> name of an ablation -> the options that turn it on (see :class:`harness.MethodSpec`).
Ablations = Mapping[str, Mapping[str, Mapping[str, Any]]]


def grouped(records: Iterable[Record], ablations: Ablations) -> dict[str, list[Record]]:
    """The quantized records of each row, by its label: one method with one set of options.

    Where the same given options meant different resolved ones (the defaults were others), their hash is part
    of the label, so that nothing is averaged that differs in more than its seed.
    """
    names: dict[tuple[str, tuple[str, ...]], str] = {}
    for method, named in ablations.items():
        for name, options in named.items():
            names.setdefault((method, _text(options)), name)
    groups: dict[str, list[Record]] = {}
    for record in records:
        if not record.is_reference:
            groups.setdefault(_label(record, names), []).append(record)
    result: dict[str, list[Record]] = {}
    for label, group in sorted(groups.items()):
        resolved = {(record.asked.bits, digest(record.asked.configuration)) for record in group}
        if len(resolved) == len({bits for bits, _ in resolved}):
            result[label] = group
            continue
        for record in group:
            result.setdefault(f"{label} [options {digest(record.asked.configuration)[:6]}]", []).append(record)
    return result


def _label(record: Record, names: Mapping[tuple[str, tuple[str, ...]], str]) -> str:
    method, given = record.asked.method, _text(record.options)
    budget = f", {record.asked.budget}" if record.asked.budget else ""
    ablation = names.get((method, given)) if given else None
    options = f":{ablation}" if ablation else f" ({' '.join(given)})" if given else ""
    return f"{method}{options}{budget}"


def _text(options: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(as_settings(options))
