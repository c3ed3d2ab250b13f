"""The first and the last layers, which the paper treats apart."""

from __future__ import annotations

from harness import InstrumentedModel


def first_operations(model: InstrumentedModel) -> set[str]:
    """The patch embedding, or the first layer of a model without one; none of a language model."""
    embedding = {site.operation for site in model.sites.values() if site.role == "patch_embed"}
    return embedding or ({model.first} if model.first is not None else set())


def last_operations(model: InstrumentedModel) -> set[str]:
    """The classifier, or whatever gives a model's predictions."""
    return {site.operation for site in model.sites.values() if site.role == "head"}
