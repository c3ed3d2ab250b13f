"""The checkpoints that the papers quantize: preprocessing and published accuracy. Light: no timm.

timm knows more models; any of them can be used. Those listed here have their preprocessing written
down, so that a run's identity needs no timm and does not change with its version; a test compares
this table with timm's own configuration. Accuracies: timm's results/results-imagenet.csv, top-1 in
percent on the 50,000 validation pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing

if TYPE_CHECKING:
    from .image_sets import ImageSet

_HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class KnownModel:
    """A checkpoint of timm: architecture, tag (which training), top-1 on ImageNet, preprocessing."""

    architecture: str
    tag: str
    top1: float
    preprocessing: Preprocessing

    @property
    def name(self) -> str:
        """timm's full name, ``architecture.tag``."""
        return f"{self.architecture}.{self.tag}"


def _known(architecture: str, tag: str, top1: float) -> KnownModel:
    size = int(architecture.rpartition("_")[2])
    vit = architecture.startswith("vit_")
    # timm: crop percentage 0.9 at 224 pixels (resize to floor(224 / 0.9)), 1.0 at 384.
    preprocessing = Preprocessing(size=size, resize=248 if size == 224 else size,
                                  mean=_HALF if vit else IMAGENET_MEAN, std=_HALF if vit else IMAGENET_STD)
    return KnownModel(architecture, tag, top1, preprocessing)


# The last tag of an architecture is timm's default, taken for a name without a tag.
_ALL = (
    _known("deit_tiny_patch16_224", "fb_in1k", 72.172),
    _known("deit_small_patch16_224", "fb_in1k", 79.844),
    _known("deit_base_patch16_224", "fb_in1k", 81.992),
    _known("deit_base_patch16_384", "fb_in1k", 83.106),
    _known("vit_tiny_patch16_224", "augreg_in21k_ft_in1k", 75.454),
    _known("vit_small_patch16_224", "augreg_in21k_ft_in1k", 81.384),
    _known("vit_base_patch16_224", "augreg_in21k_ft_in1k", 84.532),
    _known("vit_base_patch16_224", "augreg2_in21k_ft_in1k", 85.096),
    _known("vit_base_patch16_384", "augreg_in21k_ft_in1k", 85.996),
    _known("vit_large_patch16_224", "augreg_in21k_ft_in1k", 85.834),
    _known("swin_tiny_patch4_window7_224", "ms_in1k", 81.376),
    _known("swin_small_patch4_window7_224", "ms_in1k", 83.208),
    _known("swin_small_patch4_window7_224", "ms_in22k_ft_in1k", 83.298),
    _known("swin_base_patch4_window7_224", "ms_in1k", 83.606),
    _known("swin_base_patch4_window7_224", "ms_in22k_ft_in1k", 85.272),
    _known("swin_base_patch4_window12_384", "ms_in1k", 84.476),
    _known("swin_base_patch4_window12_384", "ms_in22k_ft_in1k", 86.438),
)

KNOWN_MODELS: Mapping[str, KnownModel] = {
    **{model.architecture: model for model in _ALL},
    **{model.name: model for model in _ALL},
}
"""By full name, and by architecture (the default tag)."""


def models_for(image_set: ImageSet) -> tuple[str, ...]:
    """The models to list for an image set at full scale, its default first; timm's others work too."""
    architectures = dict.fromkeys(model.architecture for model in _ALL)
    return (image_set.model, *(name for name in architectures if name != image_set.model))

PAPER_NAMES: Mapping[str, str] = {
    f"{family}-{letter}": f"{prefix}_{size}_{suffix}"
    for family, prefix, suffix in (("ViT", "vit", "patch16_224"), ("DeiT", "deit", "patch16_224"),
                                   ("Swin", "swin", "patch4_window7_224"))
    for letter, size in (("T", "tiny"), ("S", "small"), ("B", "base"), ("L", "large"))
    if f"{prefix}_{size}_{suffix}" in KNOWN_MODELS}
"""What papers call a model -> its architecture."""
