"""Training a model whose quantizers are mixtures of bit-widths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch

from ..errors import QuantizationError
from ..model.site import Site
from ..quantizers.base import Quantizer
from ..training.loss import Loss
from ..training.stage import Group, Stage
from .mixture import BitMixture
from .options import SupernetOptions
from .space import BitSpace

MixtureType = TypeVar("MixtureType", bound=BitMixture)


def train_supernet(space: BitSpace, make: Callable[[Site, Mapping[int, Quantizer]], MixtureType],
                   options: SupernetOptions, penalty: Loss[Any], name: str
                   ) -> tuple[dict[str, MixtureType], dict[str, Any]]:
    """Put a mixture of all candidates on every site that may vary, and train them; uses up ``space.base``.

    ``make``: (site, bits -> quantizer calibrated at these bits) -> mixture. ``penalty`` is added to the losses of
    ``options``. Returns the trained mixtures by site path, and the training's notes. Raises
    :class:`harness.QuantizationError` for quantizers of weights that pass no gradient to the weight.
    """
    trial = space.base
    each = {bits: space.quantizers(bits) for bits in space.candidates}
    mixtures = {path: make(site, {bits: quantizers[path] for bits, quantizers in each.items()})
                for path, site in space.sites.items()}
    for path, mixture in mixtures.items():
        if space.sites[path].is_weight and options.weights == "trained":
            _check_gradient(path, mixture, trial.model.operation(space.sites[path].operation).get_parameter("weight"))
        trial.model.place(path, mixture)
    groups = {"bits": Group(options.bits_learning_rate, weight_decay=0.0)}
    if options.weights == "frozen":
        groups |= {"weights": Group(until=0.0), "others": Group(until=0.0)}
    trial.train(Stage(name, options.training, (*options.losses, penalty), options.share, groups))
    return mixtures, trial.notes["training"][-1]


def _check_gradient(path: str, mixture: BitMixture, weight: torch.Tensor) -> None:
    probe = weight.detach().clone().requires_grad_()
    for quantizer in mixture.quantizers:
        with torch.enable_grad():
            result = quantizer(probe)
        if not result.requires_grad or torch.autograd.grad(result.sum(), probe, allow_unused=True)[0] is None:
            raise QuantizationError(
                f"the {quantizer.describe()['quantizer']} quantizer at {path!r} passes no gradient to its weight, "  # type: ignore[operator]
                "so that no supernet can train it", "Use mixed.weights=frozen, or mixed=hawq or haq")
