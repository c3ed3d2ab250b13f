"""The losses that belong to no paper here: the task's own, and distillation from a teacher's answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..builtin import DistillationOptions
from ..errors import QuantizationError
from ..method import Context
from .loss import Loss, Step
from .options import LossOptions


class TaskLoss(Loss[LossOptions]):
    """The model's own loss on labels (see :meth:`harness.Task.objective`)."""

    def forward(self, step: Step) -> Tensor:
        return step.task_loss


class Distillation(Loss[DistillationOptions]):
    """``-sum_c p_c(teacher) log p_c(student)`` with ``p = softmax(logits / T)``, times ``T^2``; mean over the batch.

    Hinton et al. 2015. Where responses are not logits of classes (detectors, regression) it is the task's divergence.
    """

    divergence: Callable[[Any, Any], Tensor]

    def prepare(self, context: Context) -> None:
        self.divergence = context.divergence

    def forward(self, step: Step) -> Tensor:
        expected, given = step.teacher.outputs, step.outputs
        if not isinstance(given, Tensor) or given.shape[-1] == 1:
            return self.divergence(expected, given)
        if expected.shape != given.shape:
            raise QuantizationError(f"the teacher answers {tuple(expected.shape)}, the model {tuple(given.shape)}: "
                                    "they do not know the same classes", "Choose another training.teacher")
        temperature = self.options.temperature
        soft = torch.softmax(expected.float() / temperature, dim=-1)
        return -(soft * torch.log_softmax(given.float() / temperature, dim=-1)).sum(-1).mean() * temperature**2
