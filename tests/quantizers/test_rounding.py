"""Straight-through rounding and scaled gradients."""

from __future__ import annotations

import torch

from harness import round_ste, scale_gradient


def test_round_ste_rounds_half_to_even_and_passes_the_gradient() -> None:
    value = torch.tensor([0.5, 1.5, 2.5, -0.5, 1.2], requires_grad=True)
    rounded = round_ste(value)
    assert rounded.tolist() == [0, 2, 2, 0, 1]
    (rounded * torch.arange(5.0)).sum().backward()
    assert value.grad.tolist() == [0, 1, 2, 3, 4]


def test_scale_gradient_changes_the_gradient_only() -> None:
    value = torch.tensor([0.1, 3.7], requires_grad=True)
    scaled = scale_gradient(value, 0.25)
    assert torch.equal(scaled, value)
    scaled.sum().backward()
    assert value.grad.tolist() == [0.25, 0.25]
