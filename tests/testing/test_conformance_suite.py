"""Every built-in component keeps the laws of its kind; what takes minutes is for ``harness check --all``."""

from __future__ import annotations

import pytest
import torch

from harness import Bits, instrument
from harness.registry import registry
from harness.testing.cases import cases
from harness.testing.law import Conformance
from harness.testing.tiny_vit import TINY_ADAPTERS, tiny_vit
from harness.testing.toy import toy_context

OURS = [plugin.name for plugin in registry().plugins if plugin.distribution == "quantization-harness"]
#: Searches are tried in the methods that use them.
KINDS = ("method", "quantizer", "loss", "cost", "suite")
SUITES = {case.label: case.suite() for case in cases(registry(), OURS)
          if case.kind in KINDS or case.spec.name.startswith("timm-")}
LAWS = [(label, suite, law) for label, suite in SUITES.items() for law in suite.laws()]


@pytest.mark.parametrize(("label", "suite", "law"), LAWS, ids=[f"{label}-{law[5:]}" for label, _, law in LAWS])
def test_built_in_components_conform(label: str, suite: Conformance, law: str) -> None:
    getattr(suite, law)()


def test_the_tiny_transformer_is_instrumented_without_a_change() -> None:
    for side in (16, 12):
        pictures = torch.randn(2, 3, side, side)
        with torch.no_grad():
            expected = tiny_vit()(pictures)
            torch.testing.assert_close(instrument(tiny_vit(), TINY_ADAPTERS)(pictures), expected, rtol=1e-5, atol=1e-6)


def test_the_toy_context_is_ready_for_a_method() -> None:
    context = toy_context(Bits(4, 4))
    assert len(context.calibration) == 16
    assert context.model.quantizer("blocks.0.attn.query").describe()["bits"] == 32
