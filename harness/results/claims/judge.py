"""What records say of papers' claims: reproduced, not reproduced, undecided, or not tested.

The rules are in ``docs/claims.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ...errors import HarnessError
from ..entry import Measured
from ..statistics.differences import Difference
from ..tables.row_labels import Ablations
from ..tables.sections import Scope, split
from .claim import Claim, Figures, Operand, read_claims
from .effects import Effect, effect
from .runs import Runs, check_names, commands

if TYPE_CHECKING:
    from ...registry import Registry
    from ...specs import MethodSpec, TaskSpec

__all__ = ["VERDICTS", "Claim", "Contrast", "Figures", "Operand", "Verdict", "VerdictName", "claims_of", "judge",
           "read_claims"]

VerdictName = Literal["reproduced", "not reproduced", "undecided", "not tested"]
VERDICTS: tuple[VerdictName, ...] = ("reproduced", "not reproduced", "undecided", "not tested")


@dataclass(frozen=True)
class Contrast:
    """One operand against another. ``effect`` is ``None`` where runs or numbers are missing; ``reason`` says which."""

    first: Operand
    second: Operand
    verdict: VerdictName
    effect: Effect | None = None
    reason: str = ""


@dataclass(frozen=True)
class Verdict:
    """What the records of one scope say of a claim, at one bit-width and training budget.

    ``scope`` is ``None`` for what no scope has the records of; ``bits`` are then all such bits. ``commands`` make the
    missing records. ``identities``: of the records that it is judged by.
    """

    claim: Claim
    verdict: VerdictName
    bits: str = ""
    scope: Scope | None = None
    budget: str = ""
    contrasts: tuple[Contrast, ...] = ()
    identities: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()

    @property
    def difference(self) -> Difference | None:
        """That of the only contrast; ``None`` where there are several, or nothing is known."""
        only = self.contrasts[0].effect if len(self.contrasts) == 1 else None
        return only.difference if only else None

    @property
    def where(self) -> str:
        """Scope, bits and budget, in words."""
        if self.scope is None:
            return self.bits
        parts = [f"{self.scope.task}, {self.scope.scale} scale, {self.scope.model}", self.bits, self.budget]
        parts += [] if self.scope.evaluation_limit is None else [f"first {self.scope.evaluation_limit} samples"]
        return ", ".join(part for part in parts if part)


def claims_of(known: Registry, warn: Callable[[str, str], None]) -> list[Claim]:
    """The claims that methods and tasks bring.

    ``warn`` is told, with a remedy, of a file or claim that cannot be used; the others are read all the same.
    """
    claims: list[Claim] = []
    specs: list[MethodSpec | TaskSpec] = [*known.methods.values(), *known.tasks.values()]
    for spec in specs:
        try:
            for claim in read_claims(known.claims(spec), spec.name):
                try:
                    check_names(claim, known.ablations)
                    claims.append(claim)
                except HarnessError as error:
                    warn(error.message, error.remedy)
        except HarnessError as error:
            warn(error.message, error.remedy)
        except OSError as error:
            warn(f"claims of {spec.name}: {error}", "Install the plugin anew, or report it to its author")
    return claims


def judge(claims: Iterable[Claim], records: Iterable[Measured], ablations: Ablations) -> list[Verdict]:
    """The verdicts on ``claims``, in their order; each at every scope, budget and bit-width that has the records.

    ``ablations``: those of every known method. Raises :class:`harness.DataError` for an ablation that does not exist.
    """
    by_task: dict[str, list[Measured]] = {}
    for record in records:
        by_task.setdefault(record.asked.task, []).append(record)
    scopes = {task: [(scope, Runs(members, ablations)) for scope, members in split(found).items()]
              for task, found in by_task.items()}
    verdicts: list[Verdict] = []
    for claim in claims:
        check_names(claim, ablations)
        here = [found for task in claim.task for found in scopes.get(task, ())]
        verdicts += _judged(claim, here)
    return verdicts


def _judged(claim: Claim, scopes: Sequence[tuple[Scope, Runs]]) -> list[Verdict]:
    if claim.untestable:
        return [Verdict(claim, "not tested")]
    found = [verdict for scope, runs in scopes
             if claim.scale in ("", scope.scale) and (not claim.models or scope.model in claim.models)
             for budget in runs.budgets(claim) for bits in claim.bits
             if (verdict := _at(claim, scope, runs, bits, budget)) is not None]
    without = [bits for bits in claim.bits if bits not in {verdict.bits for verdict in found}]
    if without:
        found.append(Verdict(claim, "not tested", ", ".join(without), commands=commands(claim, without)))
    return found


def _at(claim: Claim, scope: Scope, runs: Runs, bits: str, budget: str) -> Verdict | None:
    """The verdict at one place; ``None`` where nothing can be compared."""
    groups = [runs.of(operand, bits, budget) for operand in claim.operands]
    if all(record.asked.budget == "" for group in groups for record in group):
        if budget and budget != runs.budgets(claim)[0]:
            return None  # nothing here trains: said once
        budget = ""
    contrasts = tuple(_compared(claim, groups, first, second) for first, second in claim.pairs)
    if all(each.verdict == "not tested" for each in contrasts):
        return None
    used = {record.identity for (first, second), each in zip(claim.pairs, contrasts, strict=True) if each.effect
            for record in (*groups[first], *groups[second])}
    missing = any(each.verdict == "not tested" for each in contrasts)
    return Verdict(claim, _all_of([each.verdict for each in contrasts]), bits, scope, budget, contrasts,
                   tuple(sorted(used)), commands(claim, [bits]) if missing else ())


def _compared(claim: Claim, groups: Sequence[Sequence[Measured]], first: int, second: int) -> Contrast:
    operands = claim.operands[first], claim.operands[second]
    missing = [operand.label for operand, number in zip(operands, (first, second), strict=True) if not groups[number]]
    if missing:
        return Contrast(*operands, "not tested", reason=f"no run of {' and '.join(missing)}")
    found = effect(groups[first], groups[second], claim.quantity, claim.ratio)
    if found is None:
        return Contrast(*operands, "not tested", reason=f"records without {claim.quantity}")
    if found.basis == "samples" and any(record.asked.budget for record in (*groups[first], *groups[second])):
        return Contrast(*operands, "undecided", found, "one seed of training, whose spread is not known")
    return Contrast(*operands, _holds(claim, found), found, found.reason)


def _holds(claim: Claim, found: Effect) -> VerdictName:
    """Whether the interval lies wholly where the claim says, wholly elsewhere, or on both sides of the border."""
    if found.difference is None:
        return "undecided"
    low, high = found.difference.low, found.difference.high
    if claim.within is not None:
        inside, outside = -claim.within <= low and high <= claim.within, low > claim.within or high < -claim.within
    else:
        inside = low > claim.by if claim.expect == "higher" else high < claim.by
        outside = high < claim.by if claim.expect == "higher" else low > claim.by
        outside = outside or (found.basis == "exact" and low == high == claim.by)
    return "reproduced" if inside else "not reproduced" if outside else "undecided"


def _all_of(verdicts: Sequence[VerdictName]) -> VerdictName:
    """A claim about several contrasts needs all of them, and fails with one."""
    if "not reproduced" in verdicts:
        return "not reproduced"
    return "reproduced" if set(verdicts) == {"reproduced"} else "undecided"
