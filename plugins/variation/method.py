"""The recipe of variation-aware training."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from harness import (
    Choice,
    Context,
    Identity,
    OptionError,
    QuantizationAware,
    QuantizationError,
    Site,
    Stage,
)

from .histogram import WeightHistogram
from .mac import mac_notes
from .modules import kept_parts, slots_of_head, slots_of_parts
from .options import HeadProbe, VariationOptions
from .oscillation import OscillationMonitor
from .quantizer import ModuleDependent
from .sdam import sdam

#: A mean magnitude of each word, as in BiT.
_BINARY_EMBEDDINGS = Choice(name="binary_weight", options={"granularity": "channel"})


class Variation(QuantizationAware[VariationOptions]):
    """Module-dependent scales, multi-crop distillation and bin regularisation (``L = L_KD + lambda(t) L_OBR``)."""

    _binary: Collection[str] = frozenset()  # paths of the sites with 1 bit

    def place(self, context: Context) -> None:
        """Raises :class:`harness.OptionError` for 1 bit in a model that is not of language."""
        self._binary = {path for path, site in context.model.sites.items()
                        if (context.allocation.get(path) or self.bits_of(site, context)) == 1}
        if self._binary and context.kind != "language":
            raise OptionError("variation binarizes language models only, as its paper does",
                              "Use 2 to 8 bits for weights and activations")
        super().place(context)
        for path, site in context.model.sites.items():
            kept = kept_parts(site, self.options)
            if all(kept):
                context.model.place(path, Identity())
            elif any(kept) and not isinstance(context.model.quantizer(path), Identity):
                self._keep(context, path, kept)
        if self.options.head_probe is not None:
            _probe(context, self.options.head_probe)

    def quantizer_of(self, site: Site) -> Choice:
        if site.path not in self._binary:
            return super().quantizer_of(site)
        if site.role == "word_embedding":
            return self.options.embeddings or _BINARY_EMBEDDINGS
        return self.options.binary_weights if site.is_weight else self.options.binary_activations

    def bits_of(self, site: Site, context: Context) -> int:
        merging = site.role == "downsample" and self.options.merging == "code"
        if merging and not site.is_weight:
            return 32
        if self.options.first_last_bits is not None and (merging or site.role in ("patch_embed", "head")):
            return self.options.first_last_bits
        return super().bits_of(site, context)

    def _keep(self, context: Context, path: str, kept: list[bool]) -> None:
        """Leave W_q, W_k or W_v of a fused weight in full precision; a scale for the layer becomes one for each."""
        site, choice = context.model.sites[path], self.options.weights
        quantizer = context.model.quantizer(path)
        if isinstance(quantizer, ModuleDependent) and quantizer.partition.slots == 1:
            choice = Choice(name=choice.name, options={**choice.options, "granularity": "module"})
            quantizer = context.registry.create(context.registry.quantizers, choice, site, int(quantizer.bits[0]))
            context.model.place(path, quantizer)
        if not isinstance(quantizer, ModuleDependent):
            raise QuantizationError(f"{choice.name} cannot leave a part of the fused weight {path!r} in full precision",
                                    "Use variation.weights=module_dependent, or leave out mhsa as a whole")
        slots = slots_of_parts(site, quantizer.partition.index, quantizer.partition.slots, kept)
        quantizer.kept = slots.to(quantizer.bits.device)

    def train(self, context: Context) -> None:
        with context.model.full_precision():
            before = sdam(context)
        super().train(context)
        context.notes["sdam"] = {"full_precision": before, "trained": sdam(context)}
        context.notes["mac_unit"] = mac_notes(context)

    def stages(self, context: Context) -> Iterable[Stage]:
        monitors = [OscillationMonitor(), WeightHistogram()] if self.options.track_oscillation else []
        yield Stage("train", self.options.training, [self._taught(loss) for loss in self.options.losses],
                    monitors=monitors)

    def _taught(self, loss: Choice) -> Choice:
        """``mckd`` with the training's teacher."""
        if loss.name != "mckd" or "teacher" in loss.options:
            return loss
        return Choice(name=loss.name, options={**loss.options, "teacher": self.options.training.teacher})


def _probe(context: Context, probe: HeadProbe) -> None:
    """Give one head its own bits in every tensor that is made of heads."""
    found = False
    for path, site in context.model.sites.items():
        if site.block != probe.block or site.layout.split is None:
            continue
        if probe.head >= site.layout.heads:
            raise OptionError(f"head_probe.head = {probe.head}, but block {probe.block} has {site.layout.heads} heads",
                              "Heads are counted from 0")
        quantizer = context.model.quantizer(path)
        if not isinstance(quantizer, ModuleDependent):
            continue
        slots = slots_of_head(site, quantizer.partition.index, quantizer.partition.slots, probe.head)
        if slots is None:
            raise OptionError(f"head_probe needs a scale for each head, but {path!r} has one for several",
                              "Use granularity head")
        quantizer.bits[slots] = float(probe.bits)
        found = True
    if not found:
        raise OptionError(f"head_probe finds no quantized head in block {probe.block}",
                          "Blocks are counted from 0; the head must not be left in full precision")
