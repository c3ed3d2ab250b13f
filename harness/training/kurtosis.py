"""The loss ``kure``: weights that are spread evenly lose less to quantization."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..builtin import KurtosisOptions
from ..errors import QuantizationError
from ..method import Context
from ..model.instrument import InstrumentedModel
from ..quantizers.base import Identity
from .loss import Loss, Step


class Kurtosis(Loss[KurtosisOptions]):
    """``mean_l (Kurt(W_l) - target)^2`` over the layers with quantized weights (KURE, Chmiel et al. 2020, eq. 10).

    ``Kurt(W) = mean(((w - mu) / sigma)^4)`` of the weight before its quantizer; 1.8 for a uniform distribution,
    3 for a Gaussian.
    """

    def prepare(self, context: Context) -> None:
        """Raises :class:`harness.QuantizationError` where no weight is quantized."""
        if not any(True for _ in _quantized_weights(context.model)):
            raise QuantizationError("the loss kure has no quantized weight to regularise",
                                    "Quantize weights, or leave kure out of the losses")

    def forward(self, step: Step) -> Tensor:
        return torch.stack([(kurtosis(weight) - self.options.target) ** 2
                            for weight in _quantized_weights(step.model)]).mean()


def kurtosis(weight: Tensor) -> Tensor:
    """``mean(((w - mu) / sigma)^4)``, a scalar; sigma^2 is the mean square, and 0 has the kurtosis 0."""
    square = (weight - weight.mean()).square()
    return square.square().mean() / square.mean().square().clamp(min=torch.finfo(weight.dtype).tiny)


def _quantized_weights(model: InstrumentedModel) -> Iterator[Tensor]:
    for path, site in model.sites.items():
        if site.is_weight and not isinstance(model.quantizer(path), Identity):
            yield model.operation(site.operation).get_parameter("weight")
