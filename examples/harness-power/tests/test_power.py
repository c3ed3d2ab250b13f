"""The laws that every quantizer, loss and method keeps, and what these promise beside."""

from __future__ import annotations

import pytest
import torch
from harness_power.quantizer import Power

from harness import Partition, QuantizationError
from harness.testing import LossConformance, QuantizerConformance, TrainingConformance


class TestQuantizer(QuantizerConformance):
    quantizer = "power"


class TestUniformQuantizer(QuantizerConformance):
    quantizer, options = "power", {"exponent": 1.0, "granularity": "channel"}


class TestPull(LossConformance):
    loss = "pull"


class TestPower(TrainingConformance):
    method = "power"


def _power(exponent: float = 2.0, bits: int = 3, signed: bool = True) -> Power:
    quantizer = Power(Partition.tensor(), bits, exponent, signed)
    quantizer.scale.data.fill_(9.0)
    return quantizer


def test_levels_by_hand() -> None:
    """Scale 9, three levels on each side, squares: 0, 1, 4 and 9."""
    given = torch.tensor([0.2, 0.3, 2.2, 2.3, 6.2, 6.3, 20.0, -2.3])
    assert _power()(given).tolist() == pytest.approx([0, 1, 1, 4, 4, 9, 9, -4])
    assert _power(bits=2, signed=False)(given).tolist() == pytest.approx([0, 1, 1, 4, 4, 9, 9, 0])


def test_gradients_by_hand() -> None:
    quantizer, given = _power(), torch.tensor([2.3, 20.0, -20.0], requires_grad=True)
    quantizer(given).backward(torch.tensor([1.0, 10.0, 100.0]))
    assert given.grad is not None
    assert quantizer.scale.grad is not None
    assert given.grad.tolist() == [1.0, 0.0, 0.0]
    assert quantizer.scale.grad.item() == pytest.approx(((4 - 2.3) / 9 + 10 - 100) / (3 * 3) ** 0.5, rel=1e-5)


def test_exponent_1_is_the_uniform_quantizer() -> None:
    given = torch.linspace(-12, 12, 101)
    assert torch.equal(_power(1.0)(given), (given / 3).clamp(-3, 3).round() * 3)


def test_one_bit_is_refused() -> None:
    with pytest.raises(QuantizationError, match="no levels for 1 bit"):
        _power(bits=1)
