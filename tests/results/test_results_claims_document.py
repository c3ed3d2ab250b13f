"""Verdicts as a document, as Markdown and as JSON."""

from __future__ import annotations

import json
import random

import pytest
from made_records import make_record

from harness.registry import registry
from harness.report.claim_text import measured, printed
from harness.report.claims import FORMATS, claims_document, overall
from harness.results.claims.judge import Claim, Verdict, judge
from harness.results.record import Record

KNOWN = registry()


@pytest.fixture(name="claims")
def _claims() -> list[Claim]:
    shared = {"where": "Table 1", "task": ["imagenet"], "first": "igqvit", "second": ["ptqvit"], "source": "igqvit"}
    return [Claim.model_validate({**shared, **own}) for own in (
        {"id": "better", "says": "A | B", "bits": ["4/4", "6/6", "8/8"], "note": "taken *so*",
         "published": [{"bits": "4/4", "model": "DeiT-T", "values": [70.5, 69]}]},
        {"id": "cheaper", "says": "less", "bits": ["4/4"], "quantity": "costs.bops.plain", "expect": "lower",
         "ratio": True, "by": 1.0},
        {"id": "never", "says": "no", "task": [], "first": None, "second": [], "untestable": "no such hardware"})]


@pytest.fixture(name="verdicts")
def _verdicts(claims: list[Claim]) -> list[Verdict]:
    def run(method: str, bits: str, right: int) -> Record:
        return make_record(method, bits, right=[1] * right + [0] * (200 - right))

    records = [run("igqvit", "4/4", 150), run("ptqvit", "4/4", 100), run("igqvit", "6/6", 100),
               run("ptqvit", "6/6", 150)]
    return judge(claims, records, KNOWN.ablations)


def test_markdown(verdicts: list[Verdict]) -> None:
    text = FORMATS["md"](verdicts, KNOWN)
    assert "| igqvit | 3 | 0 | 1 | 0 | 1 | 1 |" in text
    assert ("| better | A \\| B | Table 1 | +1.50 (DeiT-T) | imagenet, mini scale, vit_mini, 4/4 | "
            "75.00 and 50.00: +25.00 [+18.98, +31.02], 1 seed | reproduced |") in text
    assert "| better |  |  | +1.50 (DeiT-T, 4/4) | imagenet, mini scale, vit_mini, 6/6 |" in text
    assert "| A \\| B | Table 1 | 8/8 | harness run --methods igqvit,ptqvit --task imagenet --bits 8/8 |" in text
    assert "| never | no | Table 1 |  | no such hardware |" in text
    assert "- better: taken \\*so\\*" in text
    assert "800 M and 800 M: x1 | not reproduced |" in text


def test_the_same_bytes_whatever_the_order(claims: list[Claim]) -> None:
    records = [make_record(method, bits, seed, right=[1] * (50 + seed) + [0] * 50)
               for method in ("igqvit", "ptqvit") for bits in ("4/4", "6/6") for seed in range(3)]
    texts = set()
    for seed in range(4):
        random.Random(seed).shuffle(records)
        texts.add(FORMATS["json"](judge(claims, records, KNOWN.ablations), KNOWN))
    assert len(texts) == 1


def test_json(verdicts: list[Verdict]) -> None:
    found = json.loads(FORMATS["json"](verdicts, KNOWN))["verdicts"]
    assert [(each["claim"]["id"], each["verdict"]) for each in found] == [
        ("better", "reproduced"), ("better", "not reproduced"), ("better", "not tested"), ("cheaper", "not reproduced"),
        ("never", "not tested")]
    assert found[0]["contrasts"][0]["effect"]["difference"]["value"] == 25.0
    assert len(found[0]["records"]) == 2
    assert found[2]["commands"] == ["harness run --methods igqvit,ptqvit --task imagenet --bits 8/8"]


def test_the_word_for_a_claim(verdicts: list[Verdict]) -> None:
    assert overall(verdicts[:3]) == "differs"
    assert overall(verdicts[1:3]) == "not reproduced"
    assert overall(verdicts[4:]) == "not tested"


def test_numbers_in_words(claims: list[Claim], verdicts: list[Verdict]) -> None:
    (ratio,) = [each for each in verdicts if each.claim.id == "cheaper"]
    assert measured(ratio.claim, ratio.contrasts[0]) == "800 M and 800 M: x1"
    assert printed(claims[1], "4/4") == ""


def test_without_claims() -> None:
    assert FORMATS["md"]([], KNOWN) == "# What the papers claim, and what the records say\n\nNo claims.\n"
    assert claims_document([], KNOWN).parts == ()
