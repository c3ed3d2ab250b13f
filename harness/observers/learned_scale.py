"""The search ``learned_scale``: where the scales that training learns start."""

from __future__ import annotations

from functools import partial
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ..builtin import LearnedScaleOptions
from ..errors import QuantizationError
from ..method import Context, Search
from ..model.partition import Partition
from ..quantizers.base import Identity, Quantizer
from ..quantizers.initial import gaussian_scale, lsq_scale, mse_scale
from ..quantizers.learned import LearnedScheme, LearnedUniform
from ..quantizers.uniform import integer_limits
from .search import finite_weight


@runtime_checkable
class Initialisable(Protocol):
    """A quantizer that finds its own start from a tensor.

    The search ``learned_scale`` sets any quantizer that has this method, and a :class:`harness.LearnedUniform`
    without it by :func:`harness.initial_scale`. One with a scale for each bit-width, say, sets them all.
    """

    def initialise(self, tensor: Tensor, rule: str) -> None:
        """Set all parameters that training starts from.

        ``tensor``: the weight, or one batch of the activation, as :meth:`quantize` gets it; finite. Called once,
        without gradients. A quantizer whose paper has a rule of its own may leave ``rule`` aside.
        """


@torch.no_grad()
def initial_scale(tensor: Tensor, rule: str, bits: int | Tensor, scheme: LearnedScheme, partition: Partition,
                  offset: bool = False) -> tuple[Tensor, Tensor | None]:
    """Scale, and offset if asked, of each slot by one of the papers' rules; shapes ``(slots,)``.

    ``mse``: :func:`harness.mse_scale`. ``lsq``: :func:`harness.lsq_scale`, offset 0. ``gaussian``: the range
    ``mu +- 3 sigma`` (:func:`harness.gaussian_scale`). ``minmax``: the range from the smallest to the largest
    value. A range is divided into the steps that lie in it: those of one sign where the scheme is symmetric, all
    where there is an offset. Raises :class:`ValueError` for another rule.
    """
    if rule == "mse":
        return mse_scale(tensor, bits, scheme, partition, offset)
    if rule == "lsq":
        scale = lsq_scale(tensor, bits, scheme, partition)
        return scale, torch.zeros_like(scale) if offset else None
    if rule == "gaussian" and not offset:
        # Steps between 0 and the end of the range: 2^(b-1) for signed integers, 2^b for unsigned ones.
        return gaussian_scale(tensor, bits if scheme == "symmetric" else bits + 1, partition), None
    lower, upper = _range(tensor, rule, partition)
    low, high = integer_limits(torch.as_tensor(bits, dtype=tensor.dtype, device=tensor.device), scheme)
    if offset:
        scale = (upper - lower) / (high - low)
        return scale, lower - low * scale
    return (torch.maximum(-lower, upper) if scheme == "symmetric" else upper) / high, None


def _range(tensor: Tensor, rule: str, partition: Partition) -> tuple[Tensor, Tensor]:
    if rule == "minmax":
        return partition.reduce(tensor, "amin"), partition.reduce(tensor, "amax")
    if rule != "gaussian":
        raise ValueError(f"no rule {rule!r} for an initial scale")
    mean = partition.reduce(tensor, "mean")
    reach = 3 * partition.reduce((tensor - partition.spread(mean)).square(), "mean").sqrt()
    return mean - reach, mean + reach


class LearnedScaleSearch(Search[LearnedScaleOptions]):
    """Sets every quantizer with a learned scale from the weight, or from the first tensor that reaches its site.

    One batch of the calibration set is enough (as in the code of LSQ, Q-ViT and variation-aware training); a site
    that it does not reach takes the next one. Nothing of a batch is kept: a site is set while the batch passes,
    so memory is that of a forward. What is set already quantizes, so later sites see what they will see in training.
    """

    def run(self, context: Context) -> None:
        """Set all scales; raises :class:`harness.QuantizationError` for a quantizer that has none to set."""
        model, calibration = context.model, context.calibration
        waiting = {path: quantizer for path, quantizer in model.quantizers.items()
                   if not isinstance(quantizer, Identity)}
        for path, quantizer in waiting.items():
            _refuse_unknown(path, quantizer, model.sites[path].is_weight)
        with context.progress("initial scales", len(waiting)) as advance:
            def start(path: str, tensor: Tensor, rule: str) -> None:
                if path in waiting:  # a site may be reached more than once in a forward
                    initialise(waiting.pop(path), tensor, rule)
                    advance()

            for path in [path for path in waiting if model.sites[path].is_weight]:
                start(path, finite_weight(model, path), self.options.weights)
            size = self.options.images or calibration.batch_size
            for first in range(0, len(calibration), size):
                if waiting:
                    calibration.observe(
                        model, batch_size=size, indices=range(first, min(first + size, len(calibration))),
                        sites={path: partial(start, path, rule=self.options.activations) for path in waiting})
        if waiting:
            raise QuantizationError(f"no calibration data reached {next(iter(waiting))!r}",
                                    "Leave the site in full precision, or calibrate with inputs that use it")


@torch.no_grad()
def initialise(quantizer: Quantizer, tensor: Tensor, rule: str) -> None:
    """Set where the learned parameters of ``quantizer`` start (see :class:`Initialisable`)."""
    if isinstance(quantizer, Initialisable):
        quantizer.initialise(tensor, rule)
    elif isinstance(quantizer, LearnedUniform):
        quantizer.set_scale(*initial_scale(tensor, rule, quantizer.bits, quantizer.scheme, quantizer.partition,
                                           quantizer.offset is not None))


def _refuse_unknown(path: str, quantizer: Quantizer, is_weight: bool) -> None:
    if not isinstance(quantizer, Initialisable | LearnedUniform):
        kind = "weights" if is_weight else "activations"
        raise QuantizationError(
            f"learned_scale cannot set the {quantizer.describe()['quantizer']} quantizer at {path!r}: "
            "it learns no scale",
            f"Place learned quantizers there (METHOD.{kind}=learned), or use the search made for it")
