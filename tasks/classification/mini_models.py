"""The small trained models of the mini scale: real timm architectures, a few hundred thousand weights each.

``train_mini.py`` trains them on the pictures of ``digits.py``. Their weights lie beside this file, and
``weights/README.md`` says how each was made. torch and timm are imported only when a model is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from .digits import IMAGE_SIZE

if TYPE_CHECKING:
    from torch import nn

WEIGHTS_FOLDER = Path(__file__).resolve().parent / "weights"
"""Where the safetensors files of the trained models lie."""


@dataclass(frozen=True)
class MiniModel:
    """One small model.

    Attributes:
        family: the timm class: ``"vit"`` for VisionTransformer, ``"swin"`` for SwinTransformer.
        classes: 10 or 100, the ``classes`` argument of ``digits.generate``.
        arguments: the arguments of the timm class, all of those that differ from timm's defaults.
        mean: mean of each RGB channel, on pixel values divided by 255.
        std: standard deviation of each RGB channel, on the same scale. A model's input is
            ``(pixels / 255 - mean) / std``, float32 of shape (count, 3, 32, 32).
    """

    family: Literal["vit", "swin"]
    classes: int
    arguments: Mapping[str, Any]
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.25, 0.25, 0.25)


def _vit(classes: int) -> MiniModel:
    arguments = {
        "img_size": IMAGE_SIZE,
        "patch_size": 4,
        "num_classes": classes,
        "embed_dim": 96,
        "depth": 6,
        "num_heads": 3,
        "mlp_ratio": 4.0,
        "qkv_bias": True,
        "global_pool": "token",
    }
    return MiniModel("vit", classes, MappingProxyType(arguments))


def _swin(classes: int) -> MiniModel:
    arguments = {
        "img_size": IMAGE_SIZE,
        "patch_size": 2,
        "num_classes": classes,
        "embed_dim": 32,
        "depths": (2, 2, 2),
        "num_heads": (2, 4, 8),
        "window_size": 4,
        "mlp_ratio": 4.0,
        "drop_path_rate": 0.0,
    }
    return MiniModel("swin", classes, MappingProxyType(arguments))


MINI_MODELS: Mapping[str, MiniModel] = MappingProxyType(
    {"vit_mini": _vit(10), "swin_mini": _swin(10), "vit_mini_100": _vit(100)}
)
"""The small models by name."""


def weights_path(name: str) -> Path:
    """The file with a model's trained weights."""
    return WEIGHTS_FOLDER / f"{name}.safetensors"


def build(name: str, *, trained: bool = True) -> nn.Module:
    """Build a small model.

    Args:
        name: a key of ``MINI_MODELS``.
        trained: load the weights that ship with this package; otherwise timm's random initialisation.

    Returns:
        The model in evaluation mode, float32. It maps normalised pictures (count, 3, 32, 32) to logits
        (count, classes).
    """
    from harness import ensure_torchvision

    ensure_torchvision()
    from timm.models.swin_transformer import SwinTransformer
    from timm.models.vision_transformer import VisionTransformer

    if name not in MINI_MODELS:
        raise ValueError(f"unknown mini model {name!r}; known: {', '.join(MINI_MODELS)}")
    entry = MINI_MODELS[name]
    model = (VisionTransformer if entry.family == "vit" else SwinTransformer)(**entry.arguments)
    if trained:
        from safetensors.torch import load_file

        # The file holds half precision to stay small; copying into the model widens it to float32.
        model.load_state_dict(load_file(weights_path(name)))
    return model.eval()
