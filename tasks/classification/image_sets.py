"""The image sets of this task family: what differs between ImageNet, CIFAR-10 and CIFAR-100."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .mini_models import MINI_MODELS


@dataclass(frozen=True)
class ImageSet:
    """One image set.

    Attributes:
        name: the task's name.
        title: what people call it.
        classes: number of classes at full scale.
        evaluation_size: pictures of the complete evaluation split.
        variable: environment variable that names the folder of the data.
        model: the model at full scale, if none is named.
        mini_classes: classes of the embedded digits that stand for it at the mini scale.
        whole_picture: show the model the whole picture (no crop), whatever the checkpoint's crop is.
        label_columns: columns of a table (csv, Parquet, Arrow) that may hold the label, in this order.
    """

    name: str
    title: str
    classes: int
    evaluation_size: int
    variable: str
    model: str = "deit_tiny_patch16_224"
    mini_classes: int = 10
    whole_picture: bool = False
    label_columns: tuple[str, ...] = ("label", "labels")

    @property
    def mini_models(self) -> tuple[str, ...]:
        """The models of the mini scale; the first one is the default."""
        return tuple(name for name, entry in MINI_MODELS.items() if entry.classes == self.mini_classes)


IMAGE_SETS: Mapping[str, ImageSet] = MappingProxyType({image_set.name: image_set for image_set in (
    ImageSet("imagenet", "ImageNet-1k", 1000, 50_000, "HARNESS_IMAGENET"),
    ImageSet("cifar10", "CIFAR-10", 10, 10_000, "HARNESS_CIFAR10", whole_picture=True),
    ImageSet("cifar100", "CIFAR-100", 100, 10_000, "HARNESS_CIFAR100", mini_classes=100, whole_picture=True,
             label_columns=("fine_label", "label", "labels")),
)})
"""The image sets by name."""
