"""The probes of section 3.2 (Fig. 2): which part of a transformer suffers from quantization."""

from __future__ import annotations

from harness import InstrumentedModel, OptionError, Site

from .quantizer import Switchable

#: Bits of the probed head (Fig. 2b).
PROBED_BITS = 2

_ATTENTION = ("qkv", "query", "key", "value", "attention", "proj")


def is_gelu(site: Site) -> bool:
    """Whether the site takes the output of an MLP's activation function."""
    return site.role == "fc2" and site.operand == "input"


def takes_part(site: Site, probe: str) -> bool:
    """Whether the site is quantized in this probe. Fig. 2a: of an MLP, the layers, the output of GELU, or both."""
    in_mlp = site.role in ("fc1", "fc2")
    match probe:
        case "mlp":
            return in_mlp
        case "gelu_fp":
            return in_mlp and not is_gelu(site)
        case "fc_fp":
            return is_gelu(site)
    return True


def probe_head(model: InstrumentedModel, head: int) -> None:
    """Fig. 2b: all that belongs to one head of the first attention goes to 2 bits.

    Raises :class:`harness.OptionError` where the model has no such head.
    """
    sites = [site for site in model.sites.values() if site.role in _ATTENTION and site.layout.split is not None]
    first = [site for site in sites if site.block == sites[0].block]
    heads = min((site.layout.heads for site in first), default=0)
    if head >= heads:
        raise OptionError(f"sensitivity_head={head}, but the first attention has {heads} heads",
                          f"Choose a head from 0 to {heads - 1}" if heads else "Choose a model with attention")
    for site in first:
        quantizer = model.quantizer(site.path)
        if isinstance(quantizer, Switchable) and quantizer.partition.slots > 1:
            quantizer.set_bits(range(head, quantizer.partition.slots, heads), PROBED_BITS)
