"""How the small BERT starts: weights from which so narrow a model learns, and channels as unequal as published ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from transformers import BertForSequenceClassification

MATCHING_HEADS = 2
"""Heads of each layer that start by looking for the same word in the other sentence."""

MATCHING_SCALE = 1.3
"""How much larger the queries and keys of these heads start."""


def initialise(model: BertForSequenceClassification) -> None:
    """Draw the weights anew.

    Linear layers have a standard deviation of one over the root of their inputs, half of that where they write to the
    residual stream: transformers' 0.02 fits layers of many hundred channels. The embeddings of the two sentences are
    opposite. In the matching heads keys are queries mirrored along that direction: equal words of different sentences
    attract each other from the start, most of all.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=module.in_features ** -0.5)
    # Any: torch declares the children of a module as "tensor or module", wider than what transformers builds.
    body: Any = model.bert
    embeddings = body.embeddings
    nn.init.normal_(embeddings.word_embeddings.weight, std=0.05)
    nn.init.normal_(embeddings.position_embeddings.weight, std=0.02)
    with torch.no_grad():
        sentence = torch.randn(body.config.hidden_size)
        sentence -= sentence.mean()  # LayerNorm would take it away.
        sentence /= sentence.norm()
        length = 0.03 * len(sentence) ** 0.5
        embeddings.token_type_embeddings.weight.copy_(torch.stack((sentence, -sentence)) * length)
        for layer in body.encoder.layer:
            layer.attention.output.dense.weight *= 0.5
            layer.output.dense.weight *= 0.5
            attention = layer.attention.self
            matching = MATCHING_HEADS * attention.attention_head_size
            query = attention.query.weight[:matching]
            query *= MATCHING_SCALE
            # Mirrored along the direction that tells the sentences apart.
            attention.key.weight[:matching] = query - 2.0 * torch.outer(query @ sentence, sentence)


def spread_channels(model: BertForSequenceClassification, sigma: float, large: int, factor: float, seed: int) -> None:
    """Make the channels of the residual stream unequal, nearly without changing the function, before training.

    Each channel is multiplied by a log-normal factor, a few of them by ``factor`` on top, all of them scaled to a mean
    square of one: in the LayerNorm after the embeddings and in the rows of the layers that write to the stream. The
    columns of the layers that read it are divided by the same. Only the mean and the deviation in the later LayerNorms
    differ a little. Published BERTs have such channels (Kovaleva et al. 2021). Everything stays trainable.

    Args:
        model: the small BERT.
        sigma: standard deviation of the natural logarithm of the factors; 0 leaves the channels equal.
        large: how many channels are made large.
        factor: how much larger these are.
        seed: seed of the factors.
    """
    generator = torch.Generator().manual_seed(seed)
    body: Any = model.bert
    channels = body.config.hidden_size
    factors = torch.exp(torch.randn(channels, generator=generator) * sigma)
    factors[torch.randperm(channels, generator=generator)[:large]] *= factor
    factors /= factors.square().mean().sqrt()
    with torch.no_grad():
        body.embeddings.LayerNorm.weight *= factors
        for layer in body.encoder.layer:
            attention = layer.attention.self
            for reader in (attention.query, attention.key, attention.value, layer.intermediate.dense):
                reader.weight /= factors
            for writer in (layer.attention.output.dense, layer.output.dense):
                writer.weight *= factors[:, None]
        body.pooler.dense.weight /= factors
