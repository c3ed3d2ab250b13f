"""The optimizer of a stage: parameter groups by name, and the learning rate of every step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from ..errors import OptionError
from ..model.instrument import InstrumentedModel
from ..quantizers.base import Quantizer
from .options import TrainingOptions
from .stage import Group, Stage


def make_optimizer(model: InstrumentedModel, stage: Stage) -> torch.optim.Optimizer:
    """The stage's optimizer over every parameter that it trains; what it does not train is frozen.

    Raises :class:`harness.OptionError` for a group of the stage that the model does not have.
    """
    named: dict[str, list[nn.Parameter]] = {}
    for name, parameter in named_groups(model):
        named.setdefault(name, []).append(parameter)
    if unknown := set(stage.groups) - set(named) - {"weights", "others", "scales"}:
        raise OptionError(f"stage {stage.name!r} trains a group {sorted(unknown)[0]!r}, but no parameter is in it",
                          f"Groups of this model: {', '.join(sorted(named))}")
    groups = []
    for name, parameters in named.items():
        group = stage.groups.get(name, Group())
        for parameter in parameters:
            parameter.requires_grad_(group.until > 0)
        if group.until > 0:
            decay = stage.training.weight_decay if name == "weights" else 0.0
            groups.append({"params": parameters, "name": name, "until": group.until,
                           "peak": group.learning_rate or stage.training.learning_rate,
                           "weight_decay": decay if group.weight_decay is None else group.weight_decay})
    return _optimizer(stage.training, groups)


def named_groups(model: InstrumentedModel) -> Iterator[tuple[str, nn.Parameter]]:
    """(group, parameter) for every parameter of the model and of its quantizers, shared ones once."""
    seen: set[int] = set()
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if id(parameter) in seen or not parameter.is_floating_point():
                continue
            seen.add(id(parameter))
            if isinstance(module, Quantizer):
                if group := module.parameter_group(name):
                    yield group, parameter
            else:
                yield ("weights" if parameter.ndim > 1 and not _is_embedding(name) else "others"), parameter


def _is_embedding(name: str) -> bool:
    """Position and class tokens, tables of position biases: of several axes, but nothing is multiplied by them."""
    return any(word in name for word in ("pos_embed", "cls_token", "dist_token", "bias_table"))


def _optimizer(training: TrainingOptions, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    if training.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=training.learning_rate, momentum=0.9)
    kind = torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=training.learning_rate)


def set_learning_rates(optimizer: torch.optim.Optimizer, training: TrainingOptions, step: int, steps: int) -> None:
    """The rates of ``step`` of ``steps``; a group past its ``until`` is frozen and its gradients are dropped."""
    factor = schedule_factor(training, step, steps)
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor
        if step >= group["until"] * steps:
            for parameter in group["params"]:
                parameter.requires_grad_(False)
                parameter.grad = None


def schedule_factor(training: TrainingOptions, step: int, steps: int) -> float:
    """Learning rate of ``step`` over the peak: linear warm-up, then the schedule down to the final rate.

    Cosine: ``f + (1 - f) (1 + cos(pi t)) / 2`` with t from 0 (end of the warm-up) to 1 (after the last step).
    """
    rising = training.warmup * steps
    if step < rising:
        return (step + 1) / (rising + 1)
    final = training.final_learning_rate / training.learning_rate
    done = (step - rising) / max(1.0, steps - rising)
    fall = {"cosine": (1 + math.cos(math.pi * done)) / 2, "linear": 1 - done, "constant": 1.0}[training.schedule]
    return final + (1 - final) * fall
