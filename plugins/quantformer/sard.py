"""The self-attention rank difference: how far a quantized model moves what attention looks at most."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from harness import Context, InstrumentedModel


def sard(reference: Tensor, attention: Tensor, top: int = 100) -> Tensor:
    """Mean ``|rank_q(i) - rank_r(i)|`` over the ``top`` largest entries i of every row of the reference, a scalar.

    Shapes (..., w); rank 0 is the largest of a row, and equal entries rank by their index. Rows shorter than ``top``
    count whole. (Quantformer, App. C, Table 2; the formula is a reading.)
    """
    order = reference.argsort(dim=-1, descending=True, stable=True)[..., :top]
    places = torch.arange(attention.shape[-1], device=attention.device).expand(attention.shape)
    ranks = torch.empty_like(places).scatter_(-1, attention.argsort(dim=-1, descending=True, stable=True), places)
    return (ranks.gather(-1, order) - places[..., :order.shape[-1]]).abs().double().mean()


@torch.no_grad()
def model_sard(context: Context, teacher: InstrumentedModel, images: int, top: int = 100) -> float:
    """:func:`sard` between the teacher's attention and the model's, mean over layers and calibration pictures.

    One picture after the other, so that only its own maps are in memory.
    """
    paths = [path for path, site in context.model.sites.items() if site.operand == "attention"]
    differences: list[float] = []
    for index in range(min(images, len(context.calibration))):
        maps: dict[str, Tensor] = {}

        def keep(path: str, tensor: Tensor, maps: dict[str, Tensor] = maps) -> None:
            maps[path] = tensor

        def compare(path: str, tensor: Tensor, maps: dict[str, Tensor] = maps) -> None:
            differences.append(float(sard(maps[path], tensor, top)))

        for model, see in ((teacher, keep), (context.model, compare)):
            context.calibration.observe(model, batch_size=1, indices=[index],
                                        sites={path: partial(see, path) for path in paths})
    return sum(differences) / len(differences) if differences else 0.0
