"""What the layers of a model are to OCS: which is the first, and which have channels that can be split."""

from __future__ import annotations

from harness import InstrumentedModel, Site

_PRODUCTS = ("query", "key", "attention", "value")


def is_of_attention(site: Site) -> bool:
    """Whether ``site`` is an operand of a product of attention, which has no weight and is quantized plainly."""
    return site.operand in _PRODUCTS


def is_first(model: InstrumentedModel, site: Site) -> bool:
    """Whether ``site`` is an operand of the layer that takes the model's own input."""
    return site.operation == model.first


def input_axis(site: Site) -> int:
    """The axis (negative) of the layer's input channels, in its weight or its input; of a table of words, its words."""
    axes = site.layout.axes
    return axes.index("in") - len(axes) if "in" in axes else site.layout.channel


def input_channels(model: InstrumentedModel, site: Site) -> int | None:
    """Input channels of the layer that ``site`` is an operand of; ``None`` where they cannot be split.

    That is the first layer, products of attention, and grouped convolutions: their weight has fewer input channels
    than the input itself, since each serves one group only.
    """
    operands = model.sites_of(site.operation)
    if is_first(model, site) or not {"weight", "input"} <= operands.keys():
        return None
    weight, channels = operands["weight"], operands["input"].layout.channels
    return channels if weight.layout.sizes[input_axis(weight)] == channels else None
