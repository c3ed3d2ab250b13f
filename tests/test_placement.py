"""Which part of a model a post-training method quantizes."""

from __future__ import annotations

from typing import Any

import pytest
from torch import Tensor, nn

from harness import Bits, Identity, InstrumentedModel, instrument
from harness.registry import registry
from harness.testing.tiny_vit import TINY_ADAPTERS, tiny_vit
from harness.testing.toy import toy_context


class Detector(nn.Module):
    """Named as mmdet names its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        self.neck = nn.Linear(2, 2)
        self.bbox_head = nn.ModuleDict({"shared_fc": nn.Linear(2, 2), "fc_cls": nn.Linear(2, 3)})

    def forward(self, x: Tensor) -> Tensor:
        return self.bbox_head["fc_cls"](self.bbox_head["shared_fc"](self.neck(self.backbone(x))))


def quantized(model: InstrumentedModel, **options: Any) -> set[str]:
    """Operations with a quantizer after ``minmax`` was placed."""
    context = toy_context(Bits(8, 8))
    context.model = model
    spec = registry().methods["minmax"]
    registry().component(spec)(spec.options(**options)).place(context)
    return {site.operation for path, site in model.sites.items() if not isinstance(model.quantizer(path), Identity)}


@pytest.mark.parametrize(("scope", "expected"), [
    ("all", {"backbone.0", "backbone.1", "neck", "bbox_head.shared_fc", "bbox_head.fc_cls"}),
    ("no_head", {"backbone.0", "backbone.1", "neck", "bbox_head.shared_fc"}),
    ("backbone", {"backbone.0", "backbone.1"})])
def test_scope_of_a_detector(scope: str, expected: set[str]) -> None:
    assert quantized(instrument(Detector(), {}), scope=scope) == expected


@pytest.mark.parametrize("scope", ["no_head", "backbone"])
def test_a_classifier_is_all_backbone_but_its_head(scope: str) -> None:
    everything = quantized(instrument(tiny_vit(), TINY_ADAPTERS))
    assert everything - quantized(instrument(tiny_vit(), TINY_ADAPTERS), scope=scope) == {"head"}
