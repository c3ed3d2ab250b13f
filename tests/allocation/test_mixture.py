"""Mixtures of quantizers: values, gradients, and quantizers that cannot be mixed."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from spaces import method_of
from torch import Tensor, nn

from harness import (
    BitMixture,
    Bits,
    BitSpace,
    LearnedUniform,
    Loss,
    LossOptions,
    Partition,
    QuantizationError,
    Quantizer,
    Step,
    SupernetOptions,
    Uniform,
    expected_bits,
    train_supernet,
)
from harness.testing.toy import toy_context


class Plain(BitMixture):
    """Shares that are parameters themselves."""

    def __init__(self, quantizers: Mapping[int, Quantizer], start: float = 0.5) -> None:
        super().__init__(quantizers)
        self.share = nn.Parameter(torch.full((len(quantizers),), start))

    def shares(self) -> dict[int, Tensor]:
        return dict(enumerate(self.share.unbind()))


class Nothing(Loss[LossOptions]):
    def forward(self, step: Step) -> Tensor:
        return step.task_loss * 0


def uniform(bits: int) -> Uniform:
    quantizer = Uniform(Partition.tensor(), bits, "symmetric")
    quantizer.set_range(torch.tensor([-1.0]), torch.tensor([1.0]))
    return quantizer


def learned(bits: int) -> LearnedUniform:
    quantizer = LearnedUniform(Partition.tensor(), bits)
    quantizer.set_scale(torch.tensor([1 / (2 ** (bits - 1) - 1)]))
    return quantizer


@pytest.mark.parametrize("make", [uniform, learned])
def test_the_mixture_is_the_weighted_sum(make: type[Quantizer]) -> None:
    x = torch.randn(5, 7) * 0.4
    parts = {bits: make(bits) for bits in (6, 2, 4)}
    mixture = Plain(parts)
    with torch.no_grad():
        mixture.share.copy_(torch.tensor([0.2, 0.5, 0.3]))
    assert mixture.candidates == (2, 4, 6)
    torch.testing.assert_close(mixture(x), 0.2 * parts[2](x) + 0.5 * parts[4](x) + 0.3 * parts[6](x))
    assert mixture.expected_bits().item() == pytest.approx(0.4 + 2.0 + 1.8)
    assert mixture.mean_bits == pytest.approx(4.2)


def test_gradients_reach_shares_tensor_and_the_quantizers_own_parameters() -> None:
    x = torch.randn(40).requires_grad_()
    parts = {2: learned(2), 4: learned(4)}
    mixture = Plain(parts)
    weight = torch.randn(40)
    (mixture(x) * weight).sum().backward()
    passed = torch.zeros(40)
    for index, (bits, quantizer) in enumerate(parts.items()):
        assert mixture.share.grad is not None
        expected = (quantizer(x) * weight).sum().detach()
        torch.testing.assert_close(mixture.share.grad[index], expected, rtol=1e-4, atol=1e-5)
        assert quantizer.scale.grad is not None
        codes = x.detach() / quantizer.scale.detach()
        passed += 0.5 * ((codes >= -2 ** (bits - 1)) & (codes <= 2 ** (bits - 1) - 1))
    assert x.grad is not None
    torch.testing.assert_close(x.grad, passed * weight)


def test_groups_of_its_parameters() -> None:
    mixture = Plain({2: learned(2), 4: learned(4)})
    assert mixture.parameter_group("share") == "bits"
    assert mixture.describe()["quantizer"].startswith("mixture of ")
    assert mixture.describe()["bits"] == 3


def trained(method: str, weights: str, given: dict[str, object] | None = None, **options: object
            ) -> tuple[BitSpace, dict[str, Plain], dict[str, object]]:
    torch.manual_seed(0)
    space_options = SupernetOptions.model_validate({"candidates": [3, 4], "weights": weights, **options})
    space = BitSpace(toy_context(Bits(4, 4), budget="steps=2", method=method_of(method, **(given or {}))),
                     space_options)
    return space, *train_supernet(space, lambda site, each: Plain(each), space_options, Nothing(LossOptions()), "net")


@pytest.mark.parametrize(("method", "given"), [
    ("minmax", {}), ("igqvit", {"single_token": "groups", "search": {"iterations": 4}}), ("lsq", {})])
def test_any_methods_quantizers_are_mixed_and_trained(method: str, given: dict[str, object]) -> None:
    space, mixtures, notes = trained(method, "trained", given)
    assert mixtures.keys() == space.sites.keys() == expected_bits(space.base.model).keys()
    assert (notes["stage"], notes["steps"]) == ("net", 2)
    for path, mixture in mixtures.items():
        assert not torch.equal(mixture.share, torch.full((2,), 0.5)), path
    model = toy_context(Bits(4, 4)).model
    assert not torch.equal(model.operation("head").weight, space.base.model.operation("head").weight)


def test_frozen_weights_stay() -> None:
    space, mixtures, _ = trained("minmax", "frozen")
    before = dict(toy_context(Bits(4, 4)).model.model.named_parameters())
    after = dict(space.base.model.model.named_parameters())
    assert all(torch.equal(parameter, after[name]) for name, parameter in before.items())
    assert not torch.equal(mixtures["head.weight"].share, torch.full((2,), 0.5))


def test_the_share_of_the_budget_is_kept() -> None:
    assert trained("minmax", "frozen", share=1.5)[2]["steps"] == 3


def test_weights_that_pass_no_gradient_are_refused_unless_frozen() -> None:
    with pytest.raises(QuantizationError, match=r"bit-split .* at '.*weight' passes no gradient"):
        trained("bitsplit", "trained")
    assert trained("bitsplit", "frozen")[2]["steps"] == 2
