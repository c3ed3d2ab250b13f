"""The common recipes: place quantizers by kind of site, then search; and, for methods that train, train."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from .errors import OptionError
from .method import Context, Method
from .model.site import Site
from .options import Choice
from .placement import PlacementOptions
from .training.options import TrainedOptions
from .training.stage import Stage

PlacementType = TypeVar("PlacementType", bound=PlacementOptions)
TrainedType = TypeVar("TrainedType", bound=TrainedOptions)


class PostTraining(Method[PlacementType]):
    """Places quantizers by the options of :class:`harness.PlacementOptions`.

    Word embeddings have the bits that a run asks for them; other tables (positions, token types) stay in
    full precision. A subclass overrides :meth:`quantizer_of` for a placement of its own, and writes ``calibrate``.
    """

    def allocate(self, context: Context) -> None:
        """Let the search of ``mixed`` choose the bits. Raises :class:`harness.OptionError` for one that does not."""
        if self.options.mixed is not None:
            context.search(self.options.mixed)
            if not context.allocation:
                raise OptionError(f"mixed={self.options.mixed.name}: this search chooses no bit-widths",
                                  "See harness list searches; haq, edmips, hawq and fracbits do")

    def place(self, context: Context) -> None:
        inside = _inside(context, self.options.scope)
        for path, site in context.model.sites.items():
            if site.role == "embedding" or not inside(site):
                continue
            bits = context.allocation.get(path) or self.bits_of(site, context)
            if bits < 32:
                choice = self.quantizer_of(site)
                quantizer = context.registry.create(context.registry.quantizers, choice, site, bits)
                context.model.place(path, quantizer)

    def quantizer_of(self, site: Site) -> Choice:
        """The quantizer for ``site``."""
        if site.role == "word_embedding" and self.options.embeddings is not None:
            return self.options.embeddings
        return self.options.weights if site.is_weight else self.options.activations

    def bits_of(self, site: Site, context: Context) -> int:
        """The bit-width for ``site``."""
        if site.role == "word_embedding":
            return context.bits.embeddings
        if site.operand == "input" and site.operation == context.model.first and self.options.stem_bits is not None:
            return self.options.stem_bits
        if site.role == "head" and self.options.head_bits is not None:
            return self.options.head_bits
        return context.bits.weights if site.is_weight else context.bits.activations


class QuantizationAware(PostTraining[TrainedType]):
    """A recipe that trains: places and calibrates as :class:`PostTraining` does, then trains in stages."""

    def calibrate(self, context: Context) -> None:
        """Run the search that starts the training."""
        context.search(self.options.search)

    def train(self, context: Context) -> None:
        """Train stage after stage."""
        for stage in self.stages(context):
            context.train(stage)

    def stages(self, context: Context) -> Iterable[Stage]:
        """One stage with the options' losses; a method of several yields its own, one after the other."""
        yield Stage("train", self.options.training, self.options.losses)


def _inside(context: Context, scope: str) -> Callable[[Site], bool]:
    """Whether a site lies in the scope of :class:`harness.PlacementOptions`."""
    if scope == "backbone" and any(path.startswith("backbone.") for path in context.model.sites):
        return lambda site: site.path.startswith("backbone.")
    return lambda site: scope == "all" or site.role != "head"
