"""Sizes of BERT by name, and what a checkpoint's configuration is called here. Light: no transformers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

DEFAULT_MODEL = "bert-base"


@dataclass(frozen=True)
class BertSize:
    """Layers, channels, attention heads, and channels inside of a feed-forward network."""

    layers: int
    width: int
    heads: int
    inner: int

    @property
    def configuration(self) -> dict[str, Any]:
        """The same in the words of transformers."""
        return {"num_hidden_layers": self.layers, "hidden_size": self.width, "num_attention_heads": self.heads,
                "intermediate_size": self.inner}


BERT_MODELS: Mapping[str, BertSize] = MappingProxyType({
    "bert-tiny": BertSize(2, 128, 2, 512),
    "bert-mini": BertSize(4, 256, 4, 1024),
    "bert-small": BertSize(4, 512, 8, 2048),
    "bert-medium": BertSize(8, 512, 8, 2048),
    "bert-base": BertSize(12, 768, 12, 3072),
    "bert-large": BertSize(24, 1024, 16, 4096),
    "minilm-l6": BertSize(6, 384, 12, 1536),
})
"""The sizes of Devlin et al. 2019 and Turc et al. 2019, and of MiniLM-L6-H384 (Wang et al. 2020)."""

PAPER_NAMES: Mapping[str, str] = MappingProxyType({"BERT-base": "bert-base", "BERT-large": "bert-large"})
"""What papers call a model -> its name here."""


def plain_name(name: str) -> str:
    """``bert-base-uncased`` is ``bert-base``: case is a matter of the vocabulary."""
    return name.removesuffix("-uncased").removesuffix("-cased")


def size_name(configuration: Mapping[str, Any]) -> str:
    """The name of a configuration's size; ``bert-LAYERSxWIDTH`` where it has none."""
    for name, size in BERT_MODELS.items():
        if all(configuration.get(key) == value for key, value in size.configuration.items()):
            return name
    return f"bert-{configuration.get('num_hidden_layers')}x{configuration.get('hidden_size')}"
