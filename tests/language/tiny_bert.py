"""A BERT of two layers and 32 channels, and checkpoints of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from glue_files import VOCABULARY

from harness.torchvision_compat import ensure_torchvision

ensure_torchvision()
from transformers import BertConfig, BertForSequenceClassification  # noqa: E402

ADAPTERS_OF = "transformers.models.bert.modeling_bert.BertSelfAttention"


def configuration(**changed: Any) -> BertConfig:
    """Two layers, 32 channels, 4 heads; as many positions as GLUE's longest tasks need."""
    return BertConfig(**{"vocab_size": len(VOCABULARY), "hidden_size": 32, "num_hidden_layers": 2,
                         "num_attention_heads": 4, "intermediate_size": 64, "max_position_embeddings": 128,
                         **({} if "id2label" in changed else {"num_labels": 2}), **changed})


def tiny_bert(**changed: Any) -> BertForSequenceClassification:
    """Random weights, larger than BERT's own, so that attention is far from uniform and logits differ."""
    torch.manual_seed(0)
    model = BertForSequenceClassification(configuration(**changed)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(10)
    return model


def write_checkpoint(folder: Path, vocabulary: bool = True, **changed: Any) -> Path:
    """A checkpoint as ``save_pretrained`` writes it, with its ``vocab.txt``; returns ``folder``."""
    tiny_bert(**changed).save_pretrained(folder)
    if vocabulary:
        (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return folder
