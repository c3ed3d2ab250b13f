"""Models of timm: building one by name, its own preprocessing, and loading a checkpoint into it."""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from harness import DataError, UnknownNameError, ensure_torchvision, fit_weights, read_weights

from .known_models import KNOWN_MODELS
from .preprocessing import Preprocessing

ensure_torchvision()

import timm  # noqa: E402 - needs a torchvision that can be imported
from timm.data.config import resolve_model_data_config  # noqa: E402


def build(name: str, classes: int, seed: int = 0) -> nn.Module:
    """A timm model with random weights of ``seed``, in evaluation mode. Raises :class:`UnknownNameError`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return timm.create_model(name, pretrained=False, num_classes=classes).eval()
        except RuntimeError as error:
            if "nknown model" not in str(error) and "nvalid pretrained tag" not in str(error):
                raise
            known = timm.list_models() + timm.list_pretrained()
            close = difflib.get_close_matches(name, known, n=5)
            raise UnknownNameError("timm model", name, close or KNOWN_MODELS) from error


def own_preprocessing(name: str, model: nn.Module) -> Preprocessing:
    """What timm's configuration of the checkpoint says. Raises :class:`DataError` if it is none of ours."""
    config = resolve_model_data_config(model)
    _, height, width = config["input_size"]
    if height != width or config["crop_mode"] != "center":
        raise DataError(f"{name} takes pictures of {height}x{width} with crop mode {config['crop_mode']!r}",
                        "Only square inputs from a centre crop are supported")
    return Preprocessing(size=height, resize=math.floor(height / config["crop_pct"]),
                         interpolation=config["interpolation"], mean=config["mean"], std=config["std"])


def load_checkpoint(model: nn.Module, name: str, path: str, classes: int) -> None:
    """Load a checkpoint file into a timm model, all of it. Raises :class:`DataError`.

    Official checkpoints of older layouts are renamed by timm's own rules. For a checkpoint of another
    listed model the error says of which.
    """
    weights = read_weights(path)
    try:
        fit_weights(model, weights, path, _timm_layout)
    except DataError as error:
        fitting = [other for other in KNOWN_MODELS
                   if "." not in other and _fits(weights, other, classes)]
        if not fitting:
            raise
        raise DataError(error.message, f"It fits {' or '.join(fitting)}: use --model {fitting[0]}") from None


def _timm_layout(weights: dict[str, Tensor], model: nn.Module) -> Mapping[str, Tensor]:
    convert = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    return convert(weights, model) if convert else weights


def _fits(weights: Mapping[str, Tensor], architecture: str, classes: int) -> bool:
    with torch.device("meta"):
        expected = timm.create_model(architecture, pretrained=False, num_classes=classes).state_dict()
    return {name: value.shape for name, value in expected.items()} == {
        name: value.shape for name, value in weights.items()}
