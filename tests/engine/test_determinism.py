"""The calibration draw."""

from __future__ import annotations

import pytest
import torch

from harness.engine.determinism import draw, fingerprint, seed_everything


def test_a_draw_is_the_seeds_alone():
    assert draw(1000, 32, 0) == draw(1000, 32, 0)
    assert draw(1000, 32, 0) != draw(1000, 32, 1)
    assert len(set(draw(50, 50, 3))) == 50


def test_too_many_is_an_error():
    with pytest.raises(ValueError, match="cannot draw 5 of 4"):
        draw(4, 5, 0)


def test_fingerprint_depends_on_order_and_names():
    assert fingerprint(["a", "b"]) != fingerprint(["b", "a"])
    assert fingerprint(["a", "b"]) != fingerprint(["ab"])


def test_seeding_covers_the_global_and_the_own_generator():
    first = (torch.randn(3, generator=seed_everything(5)), torch.randn(3))
    second = (torch.randn(3, generator=seed_everything(5)), torch.randn(3))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
