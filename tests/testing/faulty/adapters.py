"""A sound adapter, and adapters that are broken in one way each."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from harness import AdapterSpec, HeadSplit
from harness.testing.tiny_vit import TinyAttention, TinyAttentionTwin, _split

from . import Fault, Kind, NoOptions
from .any_component import FAULTS


class WrongScale(TinyAttentionTwin):
    def forward(self, x: Tensor) -> Tensor:
        query, key, value = _split(self.qkv(x))
        return self.proj(self.core(query, key, value, 1.0).transpose(1, 2).flatten(2))


class Detaches(TinyAttentionTwin):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.detach())


class OwnProducts(TinyAttentionTwin):
    def forward(self, x: Tensor) -> Tensor:
        query, key, value = _split(self.qkv(x))
        attention = torch.softmax(query @ key.transpose(-2, -1) * self.core.dim**-0.5, dim=-1)
        return self.proj((attention @ value).transpose(1, 2).flatten(2))


class OddHeads(TinyAttentionTwin):
    def projections(self) -> Mapping[str, tuple[str, HeadSplit]]:
        return {"qkv": ("out", HeadSplit(-2, 5, 3))}


class NoTwin(nn.Module):
    def __init__(self, original: nn.Module) -> None:
        super().__init__()


class OwnCore(TinyAttentionTwin):
    """Has no sites."""

    def __init__(self, original: nn.Module) -> None:
        super().__init__(original)
        del self.core

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = _split(self.qkv(x))
        attention = torch.softmax(query @ key.transpose(-2, -1) * key.shape[-1]**-0.5, dim=-1)
        return self.proj((attention @ value).transpose(1, 2).flatten(2))


class StaysSwapped(TinyAttentionTwin):
    def restored(self) -> nn.Module:
        return self


class Awake(TinyAttentionTwin):
    def __init__(self, original: nn.Module) -> None:
        super().__init__(original)
        self.train()


def twin(name: str, law: str, says: str) -> Fault:
    return Fault(name, law, says, {"factory": f"faulty.adapters:{name}"})


SITES, BACK = "test_every_product_of_the_class_has_sites", "test_the_original_comes_back"

ADAPTER = Kind(
    AdapterSpec(name="planted", summary="sound", factory="harness.testing.tiny_vit:TinyAttentionTwin",
                attention=f"{TinyAttention.__module__}.{TinyAttention.__qualname__}", options=NoOptions),
    (*FAULTS,
     twin("WrongScale", "test_the_twin_answers_as_the_original", "the answers differ"),
     Fault("a class that no model has", "test_the_twin_answers_as_the_original", "no task here has a mini model with",
           {"attention": "nowhere.Attention"}),
     twin("Detaches", "test_the_twin_has_the_originals_gradients", "gradient"),
     twin("OwnProducts", SITES, "is never called"),
     twin("OwnCore", SITES, "has the sites of no product"),
     twin("OddHeads", "test_its_projections_are_made_of_heads", "5 heads"),
     twin("StaysSwapped", BACK, "other modules"), twin("Awake", BACK, "in training mode")),
    {"task": "planted"})
