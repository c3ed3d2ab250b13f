"""What stored labels belong to: the same key means the same labels."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from harness import QuantizationError, Trainer, View


def label_key(trainer: Trainer, teacher: str | None) -> str:
    """A hash of the teacher's layers and weights, of the training samples in their order, and of what a view is.

    The last is the content of two views: it changes with the preprocessing and the augmentation. Raises
    :class:`harness.QuantizationError` where views are not pictures.
    """
    resolved, samples = trainer.task.resolved, trainer.samples
    hashed = hashlib.sha256(f"{resolved.task}|{resolved.fingerprint}".encode())
    for name in samples.ids:
        hashed.update(name.encode("utf-8", "surrogateescape") + b"\n")
    views = trainer.load([View(0, 0), View(len(samples.ids) - 1, 1)])
    if not isinstance(views.inputs, Tensor):
        raise QuantizationError("mckd stores class probabilities of pictures, which this task does not have",
                                "Use the loss kd")
    hashed.update(_bytes(views.inputs))
    model = trainer.teacher(teacher)
    hashed.update(repr(model).encode())
    for name, tensor in sorted(model.state_dict().items()):
        hashed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode() + _bytes(tensor))
    return hashed.hexdigest()


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
