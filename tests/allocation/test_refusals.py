"""Searches of bits: one that is none is refused, and what was allocated is honoured."""

from __future__ import annotations

import pytest

from harness import Bits, OptionError
from harness.options import resolve
from harness.registry import registry
from harness.testing.toy import toy_context


def test_a_search_that_chooses_no_bits_is_refused() -> None:
    spec = registry().methods["minmax"]
    method = registry().component(spec)(resolve(spec.options, {"mixed": "omse"}, "method minmax"))
    with pytest.raises(OptionError, match="mixed=omse: this search chooses no bit-widths"):
        method.allocate(toy_context(Bits(4, 4), method=method))


def test_igqvit_honours_an_allocation_for_inputs_of_a_single_token() -> None:
    spec = registry().methods["igqvit"]
    method = registry().component(spec)(spec.options())
    context = toy_context(Bits(4, 4), method=method)
    path = next(path for path, site in context.model.sites.items() if site.role == "head" and site.operand == "input")
    trial = context.trial({path: 6})
    assert trial.model.quantizer(path).mean_bits == 6
