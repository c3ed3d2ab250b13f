"""Multi-crop knowledge distillation (MCKD) from soft labels that are computed once."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from harness import Context, Loss, QuantizationError, Step

from .label_key import label_key
from .label_store import LabelStore
from .options import MultiCropOptions
from .soft_labels import decode, encode, label_count


class MultiCropDistillation(Loss[MultiCropOptions]):
    """``-mean over samples i and crops m of sum_c p_c(teacher) log p_c(student)``, eq. 9; temperature 1.

    The teacher answers only for views whose labels are not stored yet, and in single precision. What is stored is
    used, also when it was computed a moment ago, so that a run does not depend on what runs before it have left.
    """

    def prepare(self, context: Context) -> None:
        assert context.trainer is not None  # it calls this
        self._trainer = context.trainer
        self._store: LabelStore | None = None
        self._key = label_key(self._trainer, self.options.teacher)
        self._counts: dict[str, int] = context.notes.setdefault("soft_labels", {"computed": 0, "reused": 0})

    def forward(self, step: Step) -> Tensor:
        """Raises :class:`harness.QuantizationError` where responses are not logits of pictures, and for a teacher of
        other classes."""
        if not isinstance(step.batch.inputs, Tensor) or not isinstance(step.outputs, Tensor):
            raise QuantizationError("mckd stores class probabilities of pictures, which this task does not have",
                                    "Use the loss kd")
        labels = self.labels(step, step.outputs.shape[1]).to(step.outputs.device)
        return -(labels * torch.log_softmax(step.outputs.float(), dim=1)).sum(1).mean()

    def labels(self, step: Step, classes: int) -> Tensor:
        """The teacher's probabilities for the step's views, (views, classes)."""
        if self._store is None:
            count = label_count(classes, self.options.label_type)
            self._store = LabelStore(f"{self._key}-{classes}-{count}", len(self._trainer.samples.ids), classes, count)
        stored, found = self._store.read(step.views)
        missing = {view: number for number, view in enumerate(step.views) if not found[number]}
        self._counts["computed"] += len(missing)
        self._counts["reused"] += len(step.views) - len(missing)
        if missing:
            kept, order = encode(self._taught(step, list(missing.values()), classes), self.options.label_type)
            answers = dict(zip(missing, self._store.write(list(missing), kept.cpu().numpy(), order.cpu().numpy()),
                               strict=True))
            for number, view in enumerate(step.views):
                stored[number] = answers.get(view, stored[number])
        return decode(torch.from_numpy(stored["kept"].astype("f4")), torch.from_numpy(stored["order"].astype("i8")),
                      classes)

    def _taught(self, step: Step, missing: list[int], classes: int) -> Tensor:
        """The teacher's class probabilities for some of the step's views."""
        batch = copy.copy(step.batch)
        batch.inputs = batch.inputs[missing]
        with torch.autocast(batch.inputs.device.type, enabled=False):
            logits = self._trainer.run_teacher(self._trainer.teacher(self.options.teacher), (), batch).outputs
        if logits.shape[1] != classes:
            raise QuantizationError(f"the teacher knows {logits.shape[1]} classes, the model {classes}",
                                    "Choose another training.teacher")
        return torch.softmax(logits.float(), dim=1)
