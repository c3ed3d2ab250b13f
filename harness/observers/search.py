"""The base of range searches: an observer for each site, one pass over the calibration set."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import Tensor

from ..errors import QuantizationError
from ..method import Context, Search
from ..model.instrument import InstrumentedModel
from ..model.site import Site
from ..options import OptionsType
from ..quantizers.base import Identity
from ..quantizers.uniform import Uniform
from .ranges import RangeObserver


class RangeSearch(Search[OptionsType]):
    """Sets the range of every :class:`harness.Uniform` quantizer from what reaches its site.

    A subclass has a ``name`` (for messages) and says with :meth:`observer` how a site is observed. Weights
    come from the parameter; activations, in full precision, from one pass over the calibration set for
    all sites together.
    """

    name: ClassVar[str]

    @abstractmethod
    def observer(self, site: Site, quantizer: Uniform) -> RangeObserver:
        """A fresh observer for ``site``."""

    def run(self, context: Context) -> None:
        """Set all ranges; raises :class:`harness.QuantizationError` for a quantizer without one."""
        model = context.model
        quantizers = dict(uniform_quantizers(model, self.name))
        observers = {path: self.observer(model.sites[path], quantizer) for path, quantizer in quantizers.items()}
        activations = {}
        for path, observer in observers.items():
            if model.sites[path].is_weight:
                observer.observe(finite_weight(model, path))
            else:
                activations[path] = observer.observe
        if activations:
            with model.full_precision():
                context.calibration.observe(model, sites=activations)
        for path, quantizer in quantizers.items():
            set_range(path, quantizer, observers[path])


def uniform_quantizers(model: InstrumentedModel, search: str) -> Iterator[tuple[str, Uniform]]:
    """Path and quantizer of every site that is quantized, in module order.

    Raises :class:`harness.QuantizationError` for a quantizer that has no fixed range for ``search`` (its
    name, for the message) to set.
    """
    for path, quantizer in model.quantizers.items():
        if isinstance(quantizer, Identity):
            continue
        if not isinstance(quantizer, Uniform):
            what = quantizer.describe()["quantizer"]
            kind = "weights" if model.sites[path].is_weight else "activations"
            raise QuantizationError(
                f"{search} cannot set the {what} quantizer at {path!r}: it has no fixed range",
                f"Place uniform quantizers there (METHOD.{kind}=uniform), or use the search made for it")
        yield path, quantizer


def finite_weight(model: InstrumentedModel, path: str) -> Tensor:
    """The weight at a site; raises :class:`harness.QuantizationError` where it is not finite."""
    weight = model.operation(model.sites[path].operation).get_parameter("weight").detach()
    if not bool(torch.isfinite(weight).all()):
        raise QuantizationError(f"NaN or infinity in the weight at {path!r}", "Check the checkpoint")
    return weight


def set_range(path: str, quantizer: Uniform, observer: RangeObserver) -> None:
    """Give ``quantizer`` the observed range; an error says which site it is about."""
    try:
        quantizer.set_range(*observer.range())
    except QuantizationError as error:
        raise QuantizationError(f"{path!r}: {error.message}", error.remedy) from None
