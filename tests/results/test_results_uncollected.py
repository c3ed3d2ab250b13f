"""The garbage collector is as it was afterwards."""

from __future__ import annotations

import gc

import pytest

from harness.results.uncollected import uncollected


def test_the_collector_is_paused_and_goes_on() -> None:
    @uncollected()
    def failing() -> None:
        assert not gc.isenabled()
        raise KeyError

    assert gc.isenabled()
    with pytest.raises(KeyError):
        failing()
    assert gc.isenabled()


def test_one_within_another() -> None:
    @uncollected()
    def inner() -> bool:
        return gc.isenabled()

    with uncollected():
        assert not inner()
        assert not gc.isenabled()
    assert gc.isenabled()
