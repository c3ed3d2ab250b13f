"""The gradient that a quantizer passes on, against the one that it declares (see :class:`harness.Quantizer`)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..quantizers.base import Quantizer
from .law import require

#: A share of elements this large may differ: they lie where a level ends, or where rounding is a matter of luck.
_LUCK = {False: 0.02, True: 0.1}


def gradient_to(quantizer: Quantizer, tensor: Tensor) -> Tensor:
    """The gradient of the sum of the quantized tensor to the tensor; zeros where there is none."""
    given = tensor.detach().clone().requires_grad_()
    quantized = quantizer(given)
    if not quantized.requires_grad:
        return torch.zeros_like(tensor)
    (gradient,) = torch.autograd.grad(quantized.sum(), given, allow_unused=True)
    return torch.zeros_like(tensor) if gradient is None else gradient


def check_estimator(path: str, quantizer: Quantizer, tensor: Tensor) -> None:
    """Require the declared gradient at every element of ``tensor``, but for those on an edge."""
    gradient = gradient_to(quantizer, tensor)
    require(bool(gradient.isfinite().all()), f"{path}: the gradient has NaN or infinity")
    expected, comparable = _EXPECTED[quantizer.estimator](quantizer, tensor)
    close = (gradient - expected).abs() <= _TOLERANCE[quantizer.estimator] * (1 + expected.abs())
    wrong = float((comparable & ~close).float().mean())
    if wrong > _LUCK[quantizer.describe()["dynamic"]]:
        place = int((comparable & ~close).flatten().int().argmax())
        value, found, right = (float(each.flatten()[place]) for each in (tensor, gradient, expected))
        require(False, f"{path} declares the estimator {quantizer.estimator!r}: at {value:.4g} the gradient is "
                       f"{found:.4g}, not {right:.4g} ({100 * wrong:.0f}% of all elements are wrong)")


def check_parameters(path: str, quantizer: Quantizer, tensor: Tensor) -> None:
    """Require a finite gradient for every parameter that training has a group for, and none for the others."""
    quantizer.zero_grad()
    quantized = quantizer(tensor.detach().clone().requires_grad_())
    if quantized.requires_grad:
        (quantized - tensor).square().sum().backward()
    for name, parameter in quantizer.named_parameters():
        owner, _, own = name.rpartition(".")
        module: Any = quantizer.get_submodule(owner)
        group = module.parameter_group(own) if isinstance(module, Quantizer) else quantizer.parameter_group(name)
        if group and parameter.requires_grad:
            require(parameter.grad is not None, f"{path}: {name} is trained (group {group!r}) and gets no gradient")
            require(bool(parameter.grad.isfinite().all()),  # type: ignore[union-attr]
                    f"{path}: the gradient of {name} has NaN or infinity")
    quantizer.zero_grad()


@torch.no_grad()
def _clipped(quantizer: Quantizer, tensor: Tensor) -> tuple[Tensor, Tensor]:
    """1 between the levels that very small and very large numbers are given, 0 beyond.

    Where each input has levels of its own: 1 for what is quantized to the nearest level.
    """
    quantized, bits = quantizer(tensor), quantizer.describe()["bits"]
    steps = 2 ** (min(bits) if isinstance(bits, list) else bits) - 1
    if quantizer.describe()["dynamic"]:
        inside = (quantized - tensor).abs() <= (quantized.amax() - quantized.amin()) / steps / 2
        return torch.ones_like(tensor), inside
    reach = 1e3 * float(tensor.abs().max())
    lowest, highest = quantizer(torch.full_like(tensor, -reach)), quantizer(torch.full_like(tensor, reach))
    # A step around each end is left out: some methods clip between two levels.
    step = (highest - lowest) / steps
    edge = ((tensor - lowest).abs() <= step + 1e-6) | ((tensor - highest).abs() <= step + 1e-6)
    return ((tensor >= lowest) & (tensor <= highest)).to(tensor.dtype), ~edge


@torch.no_grad()
def _slope(quantizer: Quantizer, tensor: Tensor) -> tuple[Tensor, Tensor]:
    """Differences over a few steps, seen at the quantizer's own number of bits."""
    width = 0.03 * float(tensor.abs().max())
    return (quantizer(tensor + width) - quantizer(tensor - width)) / (2 * width), _everywhere(tensor)


def _constant(value: float) -> Any:
    return lambda quantizer, tensor: (torch.full_like(tensor, value), _everywhere(tensor))


def _everywhere(tensor: Tensor) -> Tensor:
    return torch.ones_like(tensor, dtype=torch.bool)


_EXPECTED: dict[str, Any] = {
    "clipped": _clipped, "slope": _slope, "straight_through": _constant(1.0), "none": _constant(0.0)}
_TOLERANCE = {"clipped": 1e-4, "straight_through": 1e-4, "none": 0.0, "slope": 0.15}
