"""The loss: how far weights are from their levels."""

from __future__ import annotations

from torch import Tensor

from harness import Identity, Loss, Step

from .options import PullOptions


class Pull(Loss[PullOptions]):
    """``mean over quantized weights of mean (w - w_hat)^2 / var w``; its weight grows from 0 with the training.

    What is drawn to a level by the end loses little when it is rounded. It works with every quantizer.
    """

    def weight(self, progress: float) -> float:
        return self.options.weight * progress

    def forward(self, step: Step) -> Tensor:
        terms = []
        for path, site in step.model.sites.items():
            quantizer = step.model.quantizer(path)
            if site.is_weight and not isinstance(quantizer, Identity):
                weight = step.model.operation(site.operation).get_parameter("weight")
                distance = (weight - quantizer(weight).detach()).square().mean()
                terms.append(distance / weight.detach().var(correction=0).clamp(min=1e-12))
        return sum(terms, step.task_loss.new_zeros(())) / max(len(terms), 1)
