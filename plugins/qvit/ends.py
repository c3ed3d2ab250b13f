"""The first and the last layers, which the paper treats apart."""

from __future__ import annotations

from harness import InstrumentedModel


def first_operations(model: InstrumentedModel) -> set[str]:
    """The patch embedding, or the first layer of a model without one."""
    layers = [site for site in model.sites.values() if site.operand == "input" and site.role != "embedding"]
    return {site.operation for site in layers if site.role == "patch_embed"} or {layers[0].operation}


def last_operations(model: InstrumentedModel) -> set[str]:
    """The classifier, or whatever gives a model's predictions."""
    return {site.operation for site in model.sites.values() if site.role == "head"}
