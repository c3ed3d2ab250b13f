"""Full-size architectures on the meta device: shapes without values, so that tracing takes no time."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch

from harness import Identity, InstrumentedModel, Operation, Quantizer, Site, Uniform, instrument, trace
from harness.registry import registry
from harness.torchvision_compat import ensure_torchvision

ensure_torchvision()
import timm  # noqa: E402

DEIT_T, DEIT_S, DEIT_B = (f"deit_{size}_patch16_224" for size in ("tiny", "small", "base"))
VIT_B, VIT_L = "vit_base_patch16_224", "vit_large_patch16_224"
SWIN_T = "swin_tiny_patch4_window7_224"
WIDTH = {DEIT_T: 192, DEIT_S: 384, DEIT_B: 768}


class FullSize:
    """An instrumented timm model for one picture of 224 pixels."""

    def __init__(self, name: str) -> None:
        adapters = {spec.attention: registry().component(spec) for spec in registry().adapters.values()}
        with torch.device("meta"):
            model = timm.create_model(name).eval()
            self.image = torch.empty(1, 3, 224, 224)
        self.model = instrument(model, adapters)

    def run(self, model: InstrumentedModel) -> object:
        """One forward."""
        return model(self.image)

    def place(self, quantizer_of: Callable[[Site], Quantizer | None]) -> list[Operation]:
        """Put a quantizer on every site (``None``: full precision), and trace the model."""
        for site in self.model.sites.values():
            # Not with ``InstrumentedModel.place``: it would move bits to the meta device, where they have no values.
            self.model.operation(site.operation).quantizers[site.operand] = quantizer_of(site) or Identity()
        return trace(self.model, self.run)

    def at_bits(self, bits: int, ends: int = 8) -> list[Operation]:
        """Patch embedding and classifier at ``ends`` bits, all else at ``bits``; one scale a tensor."""
        return self.place(lambda site: uniform(site, ends if site.role in ("patch_embed", "head") else bits))


@cache
def full_size(name: str) -> FullSize:
    """The timm model of that name, built once."""
    return FullSize(name)


def uniform(site: Site, bits: int | list[int], granularity: str = "tensor") -> Uniform:
    """A uniform quantizer over one of the site's own partitions."""
    return Uniform(site.layout.partition(granularity), bits)
