"""Sites of every kind with the tensors that reach them, from the tiny transformer in full precision."""

from __future__ import annotations

from functools import cache, partial

import torch
from torch import Tensor, nn

from ..model.instrument import instrument
from ..model.site import Site
from .method_run import pictures
from .tiny_vit import TINY_ADAPTERS, tiny_vit

_PATHS = ("stem.weight", "blocks.0.attn.qkv.weight", "blocks.0.fc1.weight", "stem.input", "blocks.0.fc1.input",
          "blocks.0.fc2.input", "blocks.0.attn.query", "blocks.0.attn.key", "blocks.0.attn.attention",
          "blocks.0.attn.value")


@cache
def sites() -> dict[str, tuple[Site, Tensor]]:
    """Path -> site and tensor: three weights, inputs of a convolution and of linear layers, operands of attention.

    The weights are normal, as trained ones nearly are.
    """
    model, seen = instrument(tiny_vit(), TINY_ADAPTERS), dict[str, Tensor]()

    def keep(path: str, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen[path] = inputs[0].detach().clone()

    for path in _PATHS:
        model.quantizer(path).register_forward_pre_hook(partial(keep, path))
    with torch.no_grad():
        model(pictures(8))
    generator = torch.Generator().manual_seed(0)
    return {path: (model.sites[path], torch.randn(tensor.shape, generator=generator) * tensor.std()
                   if model.sites[path].is_weight else tensor) for path, tensor in seen.items()}


def smaller(site: Site, tensor: Tensor) -> list[Tensor]:
    """Parts of an activation with one sample and an odd number of tokens, down to one; none of a weight."""
    if site.is_weight:
        return []
    free = [-len(site.layout.axes) + axis for axis, size in enumerate(site.layout.sizes) if size is None]
    if not free:  # (batch, token, channel): the tokens are a leading axis
        free = [-len(site.layout.axes) - 1]
    parts = []
    for batch, tokens in ((1, 9), (3, 7), (1, 1)):
        part = tensor[:batch]
        for axis in free:
            part = part.narrow(axis, 0, min(tokens, part.shape[axis]))
        parts.append(part.contiguous())
    return parts
