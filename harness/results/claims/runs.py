"""The records that a claim is about: which runs each side of a comparison means, and how to make missing ones."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence

from ...errors import DataError
from ..entry import Measured
from ..options_text import as_settings
from ..tables.row_labels import Ablations
from .claim import Claim, Operand


class Runs:
    """The runs of one scope, found by operand; ``ablations``: those of every method that is known."""

    def __init__(self, records: Iterable[Measured], ablations: Ablations) -> None:
        self._ablations = ablations
        self._found: dict[str, list[tuple[Measured, tuple[str, ...]]]] = {}
        for record in records:
            if record.status == "ok":
                given = tuple(as_settings(record.options))
                self._found.setdefault(record.asked.method, []).append((record, given))

    def of(self, operand: Operand, bits: str, budget: str) -> list[Measured]:
        """The runs of an operand, one a seed, at the bits and budget of a claim unless it has its own.

        A method that does not train has no budget. Runs whose resolved options differ (defaults were others) are
        not the same: those that are like the newest are taken.
        """
        runs = self._found.get(operand.method, [])
        if operand.is_reference:
            return [record for record, _ in runs]
        options: Mapping[str, object] = operand.options
        if operand.ablation:
            known = self._ablations.get(operand.method, {})
            if operand.ablation not in known:  # its method is not installed, so that nobody knows its options
                return []
            options = known[operand.ablation]
        wanted = tuple(as_settings(options))
        found = [record for record, given in runs
                 if record.asked.bits == (operand.bits or bits) and given == wanted
                 and record.asked.budget in ((operand.budget,) if operand.budget else (budget, ""))]
        if not found:
            return []
        newest = max(found, key=lambda record: (record.created, record.identity)).asked.configuration_hash
        return sorted((record for record in found if record.asked.configuration_hash == newest),
                      key=lambda record: record.asked.seed)

    def budgets(self, claim: Claim) -> list[str]:
        """The budgets with which the operands were trained; an empty one where none of them trains."""
        methods = {operand.method for operand in claim.operands if not operand.budget}
        found = {record.asked.budget for method in methods for record, _ in self._found.get(method, ())}
        return sorted(found - {""}) or [""]


def check_names(claim: Claim, ablations: Ablations) -> None:
    """Raise :class:`harness.DataError` for an ablation that a method, which is there, does not have.

    A method that is not installed is no fault of the claim.
    """
    for operand in claim.operands:
        known = ablations.get(operand.method)
        if operand.ablation and known is not None and operand.ablation not in known:
            raise DataError(f"claims.toml of {claim.source}, claim {claim.id}: {operand.method} has no ablation "
                            f"{operand.ablation!r}", f"It has: {', '.join(known) or 'none'}")


def commands(claim: Claim, bits: Sequence[str]) -> tuple[str, ...]:
    """The command lines that make what a claim needs at ``bits``; those that take options of their own stand alone."""
    together: dict[tuple[str, str], list[str]] = {}
    alone: list[str] = []
    for operand in claim.operands:
        if operand.is_reference:  # measured with every run
            continue
        name = f"{operand.method}:{operand.ablation}" if operand.ablation else operand.method
        place = operand.bits or ",".join(bits), operand.budget or ""
        if operand.options:
            alone.append(_command(claim, name, *place, as_settings(operand.options, operand.method)))
        else:
            together.setdefault(place, []).append(name)
    lines = [_command(claim, ",".join(dict.fromkeys(names)), *place) for place, names in together.items()]
    return tuple(dict.fromkeys(lines + alone))


def _command(claim: Claim, methods: str, bits: str, budget: str, settings: Iterable[str] = ()) -> str:
    words = ["harness", "run", "--methods", methods, "--task", ",".join(claim.task), "--bits", bits]
    for option, value in (("--scale", claim.scale), ("--model", ",".join(claim.models)), ("--budget", budget)):
        words += [option, value] if value else []
    for setting in settings:
        words += ["--set", setting]
    return shlex.join(words)
