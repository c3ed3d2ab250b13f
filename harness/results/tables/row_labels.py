"""What the rows of a table are called: a method, the ablation or the options it was run with, its budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..entry import Measured
from ..options_text import as_settings

#: Method -> name of an ablation -> the options that turn it on (see :class:`harness.MethodSpec`).
Ablations = Mapping[str, Mapping[str, Mapping[str, Any]]]


class RowLabels:
    """Names of rows, from the options that were given; ``ablations``: the options that have a name."""

    def __init__(self, ablations: Ablations) -> None:
        self._names: dict[tuple[str, tuple[str, ...]], str] = {}
        for method, named in ablations.items():
            for name, options in named.items():
                self._names.setdefault((method, tuple(as_settings(options))), name)
        self._texts: dict[int, tuple[Mapping[str, Any], tuple[str, ...]]] = {}

    def ablation(self, record: Measured) -> str:
        """The name of the ablation that the record is a run of; empty where it is of none."""
        given = self._given(record.options)
        return self._names.get((record.asked.method, given), "") if given else ""

    def label(self, record: Measured) -> str:
        """What the row of the record is called."""
        given = self._given(record.options)
        ablation = self._names.get((record.asked.method, given)) if given else None
        options = f":{ablation}" if ablation else f" ({' '.join(given)})" if given else ""
        budget = f", {record.asked.budget}" if record.asked.budget else ""
        return f"{record.asked.method}{options}{budget}"

    def _given(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Options as text. Entries of an index share their options, so the text is kept with the object."""
        if not options:
            return ()
        known = self._texts.get(id(options))
        if known is None or known[0] is not options:
            known = self._texts[id(options)] = options, tuple(as_settings(options))
        return known[1]


def grouped(records: Iterable[Measured], ablations: Ablations) -> dict[str, list[Measured]]:
    """The quantized records of each row, by its label: one method with one set of options.

    Where the same given options meant different resolved ones (the defaults were others), their hash is part
    of the label, so that nothing is averaged that differs in more than its seed.
    """
    labels = RowLabels(ablations)
    groups: dict[str, list[Measured]] = {}
    for record in records:
        if not record.is_reference:
            groups.setdefault(labels.label(record), []).append(record)
    result: dict[str, list[Measured]] = {}
    for label, group in sorted(groups.items()):
        if _one_configuration(group):
            result[label] = group
            continue
        for record in group:
            result.setdefault(f"{label} [options {record.asked.configuration_hash[:6]}]", []).append(record)
    return result


def _one_configuration(group: Sequence[Measured]) -> bool:
    """Whether records of the same task and bits have the same resolved options."""
    known: dict[tuple[str, str], str] = {}
    for record in group:
        found = record.asked.configuration_hash
        if known.setdefault((record.asked.task, record.asked.bits), found) != found:
            return False
    return True
