"""Which of the records a table shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from ...errors import UnknownNameError
from ..entry import Measured
from .row_labels import Ablations, RowLabels


@dataclass(frozen=True)
class Selection:
    """Filters; an empty one lets everything pass. The full-precision records of what is shown always pass.

    ``methods``: names, or ``METHOD:ABLATION`` for the runs of one ablation only. ``named_ablations``: whether runs
    of ablations are shown that ``methods`` does not name.
    """

    models: tuple[str, ...] = ()
    scales: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    bits: tuple[str, ...] = ()
    named_ablations: bool = True

    def of(self, records: Iterable[Measured], ablations: Ablations) -> list[Measured]:
        """The records that pass.

        Raises :class:`harness.UnknownNameError` for a value that neither a record nor ``ablations`` (which has
        every known method) knows: a misspelt filter would show an empty table.
        """
        records = list(records)
        labels = RowLabels(ablations)
        self._check(records, ablations)
        return [record for record in records if self._passes(record, labels)]

    def _passes(self, record: Measured, labels: RowLabels) -> bool:
        asked = record.asked
        if (self.models and asked.model not in self.models) or (self.scales and asked.scale not in self.scales):
            return False
        if record.is_reference:
            return True
        if self.bits and asked.bits not in self.bits:
            return False
        if not self.methods and self.named_ablations:
            return True
        ablation = labels.ablation(record)
        if ablation and f"{asked.method}:{ablation}" in self.methods:
            return True
        return (not self.methods or asked.method in self.methods) and (self.named_ablations or not ablation)

    def _check(self, records: Sequence[Measured], ablations: Ablations) -> None:
        for kind, wanted, known in (
                ("model", self.models, {record.asked.model for record in records} if self.models else ()),
                ("scale", self.scales, {"mini", "full"}),
                ("bits", self.bits, {record.asked.bits for record in records} if self.bits else ())):
            for name in wanted:
                if name not in known and records:
                    raise UnknownNameError(f"{kind} among the records:", name, sorted(known, key=str))
        methods = {*ablations, *(record.asked.method for record in records)} if self.methods else ()
        for name in self.methods:
            method, _, ablation = name.partition(":")
            if method not in methods:
                raise UnknownNameError("method", method, methods)
            if ablation and ablation not in ablations.get(method, {}):
                raise UnknownNameError(f"ablation of {method}", ablation, ablations.get(method, {}))

    def __str__(self) -> str:
        """What is shown, in words; empty where that is everything."""
        said = [f"{part.name} {', '.join(getattr(self, part.name))}" for part in fields(self)
                if part.name != "named_ablations" and getattr(self, part.name)]
        return "; ".join([*said, *([] if self.named_ablations else ["no ablations"])])


def bits_order(bits: str) -> tuple[int, ...]:
    """Sort key of bits such as ``4/4``."""
    return tuple(int(part) for part in bits.split("/"))
