"""SDAM: how much the magnitude of activations varies between channels (Table 2, Table 6)."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
from torch import Tensor

from harness import Context

Magnitude = Literal["mean_of_absolute", "absolute_of_mean"]
Across = Literal["channels", "tokens"]


def sdam(context: Context, magnitude: Magnitude = "mean_of_absolute", across: Across = "channels") -> float:
    """``mean over modules of std over channels of mean over samples and tokens of |x|``, on the calibration set.

    A module is a linear layer or convolution other than the patch embedding, x its input before the quantizer. The
    paper prints no formula: ``magnitude`` and ``across`` are other readings, and values compare within one only.
    """
    model, sums = context.model, dict[str, Tensor]()
    counts: dict[str, int] = {}

    def observe(path: str, tensor: Tensor) -> None:
        values = tensor.abs() if magnitude == "mean_of_absolute" else tensor
        channel = model.sites[path].layout.channel % tensor.dim()
        kept = [channel] if across == "channels" else [axis for axis in range(1, tensor.dim()) if axis != channel]
        others = [axis for axis in range(tensor.dim()) if axis not in kept]
        seen = values.double().sum(others) if others else values.double()
        sums[path] = sums[path] + seen if path in sums else seen
        counts[path] = counts.get(path, 0) + tensor.numel() // seen.numel()

    paths = [path for path, site in model.sites.items() if site.operand == "input" and site.role != "patch_embed"]
    context.calibration.observe(model, sites={path: partial(observe, path) for path in paths})
    means = [(sums[path] / counts[path]).abs() for path in sums]
    deviations = [torch.std(mean.reshape(-1)) for mean in means if mean.numel() > 1]
    return float(torch.stack(deviations).mean())
