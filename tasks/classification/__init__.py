"""Image classification: ImageNet, CIFAR-10 and CIFAR-100, and embedded digits at the mini scale."""

from __future__ import annotations

from collections.abc import Iterable

from harness import AdapterSpec, TaskSpec, hookimpl

from .image_sets import IMAGE_SETS
from .known_models import PAPER_NAMES, models_for
from .layouts import LAYOUTS


@hookimpl
def harness_tasks() -> Iterable[TaskSpec]:
    for image_set in IMAGE_SETS.values():
        yield TaskSpec(
            name=image_set.name,
            summary=f"{image_set.title} classification ({image_set.classes} classes), top-1 accuracy",
            factory=".task:ClassificationTask",
            resolve=".resolve:resolve",
            metric="top1",
            models={"mini": image_set.mini_models, "full": models_for(image_set)},
            data_help=f"{LAYOUTS}\nOr set {image_set.variable} to that folder.",
            paper_names=PAPER_NAMES,
            trains=True,
            published=":published.csv" if image_set.name == "imagenet" else "",
        )


@hookimpl
def harness_adapters() -> Iterable[AdapterSpec]:
    yield AdapterSpec(name="timm-attention", summary="attention of timm's ViT and DeiT",
                      factory=".adapters:ViTAttention", attention="timm.layers.attention.Attention")
    yield AdapterSpec(name="timm-swin", summary="window attention of timm's Swin",
                      factory=".adapters:SwinWindowAttention", attention="timm.models.swin_transformer.WindowAttention")
