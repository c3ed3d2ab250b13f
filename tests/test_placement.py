"""Which part of a model a post-training method quantizes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
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


class Reader(nn.Module):
    """Named as Hugging Face names its parts: two tables, and two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = nn.ModuleDict({"word_embeddings": nn.Embedding(6, 2),
                                         "position_embeddings": nn.Embedding(4, 2)})
        self.dense = nn.Linear(2, 2)
        self.classifier = nn.Linear(2, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        places = self.embeddings["position_embeddings"](torch.arange(tokens.shape[1]))
        return self.classifier(self.dense(self.embeddings["word_embeddings"](tokens) + places).mean(1))


def test_word_embeddings_have_their_own_bits_and_quantizer() -> None:
    def placed(bits: Bits, **options: Any) -> InstrumentedModel:
        context = toy_context(bits)
        context.model = instrument(Reader(), {})
        spec = registry().methods["minmax"]
        registry().component(spec)(spec.options(**options)).place(context)
        return context.model

    words, places = "embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"
    without, plain = placed(Bits(4, 4)), placed(Bits(4, 4, 8))
    assert isinstance(without.quantizer(words), Identity)
    assert without.sites[words].role == "word_embedding"
    assert without.sites[places].role == "embedding"
    assert (plain.quantizer(words).describe()["bits"], plain.quantizer(words).describe()["groups"]) == (8, 6)
    assert isinstance(plain.quantizer(places), Identity)
    whole = placed(Bits(4, 4, 8), embeddings={"name": "uniform", "options": {"granularity": "tensor"}})
    assert whole.quantizer(words).describe()["groups"] == 1
    assert whole.quantizer("dense.weight").describe()["groups"] == 2


def test_a_language_model_has_no_first_layer_of_its_own_bits() -> None:
    assert instrument(Reader(), {}).first is None
    assert instrument(Detector(), {}).first == "backbone.0"
    context = toy_context(Bits(4, 4))
    context.model = instrument(Reader(), {})
    spec = registry().methods["minmax"]
    registry().component(spec)(spec.options(stem_bits=8)).place(context)
    assert context.model.quantizer("dense.input").describe()["bits"] == 4
