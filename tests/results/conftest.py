"""Fixtures for the tests of results."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from made_records import make_record, make_reference

from harness.results.record import Record


@pytest.fixture(name="make_record")
def _make_record() -> Callable[..., Record]:
    return make_record


@pytest.fixture(name="make_reference")
def _make_reference() -> Callable[..., Record]:
    return make_reference
