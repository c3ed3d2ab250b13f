"""BERT-base at full size, on 128 tokens: multiplications and bit-operations against counts by hand."""

from __future__ import annotations

from collections import Counter
from functools import cache

import torch

from harness import Identity, InstrumentedModel, Uniform, instrument, trace
from harness.cost.conventions import plain
from harness.registry import registry
from harness.torchvision_compat import ensure_torchvision
from harness_tasks.language.bert_models import BERT_MODELS

ensure_torchvision()
from transformers import BertConfig, BertForSequenceClassification  # noqa: E402

TOKENS, WIDTH, INNER, LAYERS, CLASSES = 128, 768, 3072, 12, 2

#: Multiplications in one layer: q, k, v and the output; the two products of attention; the feed-forward network.
PROJECTIONS = 4 * TOKENS * WIDTH * WIDTH
PRODUCTS = 2 * TOKENS * TOKENS * WIDTH
FEED_FORWARD = 2 * TOKENS * WIDTH * INNER
#: Of the first token alone.
POOLER, CLASSIFIER = WIDTH * WIDTH, WIDTH * CLASSES


@cache
def bert_base() -> InstrumentedModel:
    """On the meta device: shapes without values, so that tracing takes no time."""
    with torch.device("meta"):
        model = BertForSequenceClassification(BertConfig(
            attn_implementation="eager", **BERT_MODELS["bert-base"].configuration)).eval()
    return instrument(model, {spec.attention: registry().component(spec) for spec in registry().adapters.values()})


def run(model: InstrumentedModel) -> object:
    ids = torch.zeros(1, TOKENS, dtype=torch.int64, device="meta")
    return model(input_ids=ids, token_type_ids=ids)


def test_macs() -> None:
    operations = trace(bert_base(), run)
    assert sum(operation.macs for operation in operations) == (
        LAYERS * (PROJECTIONS + PRODUCTS + FEED_FORWARD) + POOLER + CLASSIFIER)
    assert round(sum(operation.macs for operation in operations) / 1e9, 1) == 11.2, "GMACs, the known figure"
    kinds = Counter(operation.kind for operation in operations)
    assert kinds == {"linear": 6 * LAYERS + 2, "scores": LAYERS, "values": LAYERS, "embedding": 3}


def test_parameters() -> None:
    model = bert_base()
    weights = {path: model.operation(site.operation).weight.numel() for path, site in model.sites.items()
               if site.is_weight}
    embeddings = (30_522 + 512 + 2) * WIDTH
    assert sum(weights.values()) == (
        embeddings + LAYERS * (4 * WIDTH**2 + 2 * WIDTH * INNER) + WIDTH**2 + CLASSES * WIDTH)


def test_bit_operations() -> None:
    """Weights of 4 bits, activations of 8 (both operands of a product); pooler and classifier in full precision."""
    model = bert_base()
    for site in model.sites.values():
        inside = site.block is not None
        quantizer = Uniform(site.layout.partition("tensor"), 4 if site.is_weight else 8) if inside else Identity()
        # Not with ``InstrumentedModel.place``: it would move bits to the meta device, where they have no values.
        model.operation(site.operation).quantizers[site.operand] = quantizer
    assert plain(trace(model, run)) == (LAYERS * ((PROJECTIONS + FEED_FORWARD) * 4 * 8 + PRODUCTS * 8 * 8)
                                        + (POOLER + CLASSIFIER) * 32 * 32)
