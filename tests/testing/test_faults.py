"""Every law can be broken: the same plugin, broken in one way at a time, and the law that says so."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from faulty import Fault, Kind
from faulty.adapters import ADAPTER
from faulty.counting import COST, SUITE
from faulty.methods import METHOD
from faulty.quantizers import QUANTIZER
from faulty.searches import LOSS, SEARCH
from faulty.tasks import TASK
from faulty.training import TRAINING

from harness.specs import Spec
from harness.testing import MethodConformance, conformance, quantizers
from harness.testing.cases import Case
from harness.testing.law import Conformance, judge, judged

#: ``training``: a method that trains, and the faults of training alone.
KINDS: dict[str, Kind] = {
    "method": METHOD, "training": TRAINING, "quantizer": QUANTIZER, "search": SEARCH, "loss": LOSS, "task": TASK,
    "adapter": ADAPTER, "suite": SUITE, "cost": COST}
#: What else has to be there: the task's attention class has an adapter, the adapter's class is in the task's model.
BESIDE: dict[str, tuple[str, Spec]] = {"task": ("adapter", ADAPTER.sound), "adapter": ("task", TASK.sound)}
CATALOGUE = {"training": "method"}
FAULTS = [(kind, fault) for kind, each in KINDS.items() for fault in each.faults]
Plant = Callable[..., Conformance]


def suite_of(plant: Plant, kind: str, fault: Fault | None = None) -> Conformance:
    """The suite of the sound component, or of the faulty one."""
    if kind in BESIDE:
        plant(*BESIDE[kind])
    each = KINDS[kind]
    spec, attributes = (replace(each.sound, **fault.spec), fault.attributes) if fault else (each.sound, {})
    return plant(CATALOGUE.get(kind, kind), spec, **each.attributes | attributes)


@pytest.fixture(autouse=True)
def _another_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A CPU by another name, so that the laws about devices are tried everywhere; and a folder for what is written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(conformance, "other_devices", lambda: ["cpu:0"])
    monkeypatch.setattr(quantizers, "other_devices", lambda: ["cpu:0"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_sound_component_keeps_every_law(kind: str, plant: Plant) -> None:
    suite = suite_of(plant, kind)
    assert [(verdict.law, verdict.seen) for verdict in judged(suite) if not verdict.kept] == []


@pytest.mark.parametrize(("kind", "fault"), FAULTS, ids=[f"{kind}-{fault.what}" for kind, fault in FAULTS])
def test_the_law_notices(kind: str, fault: Fault, plant: Plant) -> None:
    verdict = judge(suite_of(plant, kind, fault), fault.law)
    assert fault.says in verdict.seen
    assert verdict.mend


@pytest.mark.parametrize("kind", KINDS)
def test_every_law_has_a_fault_and_says_what_to_mend(kind: str) -> None:
    suite = Case(CATALOGUE.get(kind, kind), KINDS[kind].sound).suite()
    laws: dict[str, Any] = suite.laws()
    assert all(law.mend for law in laws.values())
    elsewhere = set(MethodConformance.laws()) if kind == "training" else set()
    assert set(laws) - elsewhere <= {fault.law for fault in KINDS[kind].faults}


@pytest.mark.parametrize(("kind", "factory"), [
    ("method", "faulty.methods:SlowForward"), ("quantizer", "faulty.quantizers:Slow")])
def test_a_hint_tells_of_what_is_slow(kind: str, factory: str, plant: Plant) -> None:
    """How many times as long as the plain one it takes, the last such number of the hints."""
    ratios = [float(re.findall(r"([\d.]+) times", suite_of(plant, kind, fault).hints()[-1])[-1])
              for fault in (None, Fault("slow", "", "", {"factory": factory}))]
    assert ratios[1] > 3 * ratios[0]
