"""The loss ``hinge``: attention maps keep the teacher's order."""

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor

from ..builtin import HingeOptions
from ..errors import QuantizationError
from ..model.instrument import InstrumentedModel
from ..ranking import hinge_ranking_loss
from .loss import Loss, Step


class HingeRanking(Loss[HingeOptions]):
    """Sum over layers of the hinge ranking loss of the student's attention maps against the teacher's.

    Of each map :func:`harness.hinge_ranking_loss` (Liu et al., NeurIPS 2021, eq. 10), between the maps after the
    softmax and before their own quantizer. Quantformer (Wang et al. 2023, app. B) trains with it for comparison.
    """

    def watches(self, model: InstrumentedModel) -> Collection[str]:
        """Every attention map; raises :class:`harness.QuantizationError` for a model without any."""
        maps = [path for path, site in model.sites.items() if site.operand == "attention"]
        if not maps:
            raise QuantizationError("the loss hinge compares attention maps, and this model has none",
                                    "Leave hinge out of the losses")
        return maps

    def forward(self, step: Step) -> Tensor:
        maps = self.watches(step.model)
        return sum((hinge_ranking_loss(step.teacher.sites[path], step.sites[path], self.options.theta,
                                       self.options.reduction) for path in maps), start=step.task_loss.new_zeros(()))
