"""Every claims.toml in the tree: names that exist, figures of published.csv, verdicts that are up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.engine.plan import method_options
from harness.registry import registry
from harness.report.claims import FORMATS
from harness.request import Bits
from harness.results.claims.judge import Claim, claims_of, judge
from harness.results.published import read_published
from harness.results.storage.store import Store

RESULTS = Path(__file__).parents[1] / "results"
KNOWN = registry()
PROBLEMS: list[str] = []
CLAIMS = claims_of(KNOWN, lambda message, remedy: PROBLEMS.append(message))
FIGURES = {(name, row.value) for spec in (*KNOWN.methods.values(), *KNOWN.tasks.values())
           for row in read_published(KNOWN.published(spec), spec.name)
           for name in (row.model, row.column.partition("(")[0])}


def _name(claim: Claim) -> str:
    return f"{claim.source}-{claim.id}"


def test_all_are_read() -> None:
    assert not PROBLEMS
    assert {claim.source for claim in CLAIMS} == {"igqvit", "ocs", "ptqvit", "quantformer", "qvit", "variation"}
    assert len(CLAIMS) >= 60


@pytest.mark.parametrize("claim", CLAIMS, ids=_name)
def test_names_exist(claim: Claim) -> None:
    for task in claim.task:
        assert task in KNOWN.tasks
        assert set(claim.models) <= {model for models in KNOWN.tasks[task].models.values() for model in models}
    for operand in claim.operands:
        if operand.is_reference:
            continue
        spec = KNOWN.methods[operand.method]
        method_options(KNOWN, spec, spec.ablations[operand.ablation] if operand.ablation else operand.options)
        for text in (operand.bits,) if operand.bits else claim.bits:
            bits = Bits.parse(text)
            assert bits.weights in spec.weight_bits
            assert bits.activations in spec.activation_bits
        assert spec.trains or not operand.budget


@pytest.mark.parametrize("claim", [claim for claim in CLAIMS if claim.published], ids=_name)
def test_figures_are_published(claim: Claim) -> None:
    for figures in claim.published:
        assert figures.bits in claim.bits
        assert [value for value in figures.values if (figures.model, value) not in FIGURES] == [], figures


@pytest.mark.parametrize("claim", [claim for claim in CLAIMS if claim.published], ids=_name)
def test_the_paper_has_what_it_claims(claim: Claim) -> None:
    """At the model and bits of its own figures, that is; a claim that they contradict is copied wrongly."""
    for figures in claim.published:
        for first, second in claim.pairs:
            one, other = figures.values[first], figures.values[second]
            value = one / other if claim.ratio else one - other
            if claim.within is not None:
                assert abs(value) <= claim.within
            else:
                assert value > claim.by if claim.expect == "higher" else value < claim.by


def test_the_committed_verdicts_are_up_to_date() -> None:
    records, _ = Store(RESULTS).records()
    text = FORMATS["md"](judge(CLAIMS, records, KNOWN.ablations), KNOWN)
    assert (RESULTS / "claims.md").read_text(encoding="utf-8") == text, (
        "write it anew: harness claims --output results/claims.md")
