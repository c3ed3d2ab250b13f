"""The loss ``hidden``: the student's hidden states are to be the teacher's."""

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor
from torch.nn import functional

from harness import InstrumentedModel, Loss, QuantizationError, Step

from .options import HiddenOptions


class HiddenStates(Loss[HiddenOptions]):
    """``sum over hidden states h of mean (h_student - h_teacher)^2``.

    Hidden states are what the embeddings and each layer of a transformer put out (see :func:`hidden_states`).
    """

    def watches(self, model: InstrumentedModel) -> Collection[str]:
        return hidden_states(model)

    def forward(self, step: Step) -> Tensor:
        """Raises :class:`harness.QuantizationError` for a teacher of another width."""
        total = step.task_loss.new_zeros(())
        for path in hidden_states(step.model):
            given, expected = step.sites[path], step.teacher.sites[path]
            if given.shape != expected.shape:
                raise QuantizationError(f"the loss hidden compares {tuple(given.shape)} at {path!r} with the teacher's "
                                        f"{tuple(expected.shape)}", "Use a teacher of the same size")
            total = total + functional.mse_loss(given.float(), expected.float())
        return total


def hidden_states(model: InstrumentedModel) -> list[str]:
    """Paths of the modules that put out hidden states: the one around the word embeddings, and each repeated block.

    A model without word embeddings (vision) has those of its blocks only. Raises
    :class:`harness.QuantizationError` for a model without repeated blocks (plain convolutions).
    """
    paths = [site.operation.rpartition(".")[0] for site in model.sites.values() if site.role == "word_embedding"]
    blocks: dict[int, list[str]] = {}
    for site in model.sites.values():
        if site.block is not None:
            blocks.setdefault(site.block, []).append(site.operation)
    if not blocks:
        raise QuantizationError("the loss hidden compares what the layers of a transformer put out, and this model "
                                "has none", "Use the loss kd")
    return [path for path in paths if path] + [_container(operations) for operations in blocks.values()]


def _container(operations: list[str]) -> str:
    """The innermost module around all operations."""
    common: list[str] = []
    for names in zip(*(path.split(".")[:-1] for path in operations), strict=False):
        if len(set(names)) > 1:
            break
        common.append(names[0])
    return ".".join(common)
