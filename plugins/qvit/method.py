"""The recipe of Q-ViT."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from harness import Choice, Context, Group, QuantizationAware, Site, Stage

from .bitops import bit_operations
from .ends import first_operations, last_operations
from .options import QVitOptions
from .penalty import GIGA, budget_of
from .sensitivity import is_gelu, probe_head, takes_part

#: By how many bits a bit-width can move in a short run: from one more than the run's to one less.
REACH = 2


class QVit(QuantizationAware[QVitOptions]):
    """Switchable quantizers on all sites; bits, scales and weights learned together, then with the bits fixed."""

    def place(self, context: Context) -> None:
        self._first: set[str] = first_operations(context.model)
        self._last: set[str] = last_operations(context.model)
        super().place(context)
        if self.options.sensitivity == "head":
            probe_head(context.model, self.options.sensitivity_head)

    def bits_of(self, site: Site, context: Context) -> int:
        options = self.options
        if not takes_part(site, options.sensitivity):
            return 32
        if site.role == "word_embedding":
            return context.bits.embeddings
        if site.operation in self._first and options.stem_bits is not None:
            return options.stem_bits
        if site.operation in self._last and options.head_bits is not None:
            return options.head_bits
        bits = context.bits.weights if site.is_weight else context.bits.activations
        if not self._learns:
            return bits
        return min(options.bits.start or bits + 1, options.bits.high)

    def quantizer_of(self, site: Site) -> Choice:
        choice = super().quantizer_of(site)
        if choice.name != "switchable":
            return choice
        return Choice(name=choice.name, options=self._switchable(site) | choice.options)

    def _switchable(self, site: Site) -> dict[str, Any]:
        """Section 2 of the method's description: integers, offset and what is learned at ``site``."""
        options = self.options
        gelu, attention = is_gelu(site) and options.offset.gelu, site.operand == "attention"
        end = site.operation in self._first | self._last
        learn = self._learns and site.role != "word_embedding" and (options.first_last == "learn" or not end)
        return {
            "granularity": options.bits.granularity, "low": options.bits.low, "high": options.bits.high,
            "scheme": "unsigned" if gelu or attention else "symmetric",
            "offset": gelu or (options.offset.all and not site.is_weight and not attention),
            "learn": learn, "scale_per_head": options.scale.per_head, "compat_head_axis": options.compat_head_axis,
            "switchable": options.scale.switchable and (learn or options.sensitivity == "head")}

    @property
    def _learns(self) -> bool:
        """Whether bit-widths are learned; the probes are uniform."""
        return self.options.bits.learn and self.options.sensitivity == "off"

    def train(self, context: Context) -> None:
        """Searching and diving stages (section 4.1); notes the BitOPs before and after, and the budget, in giga."""
        operations = bit_operations(context)
        started = float(operations().detach())
        super().train(context)
        context.notes["bitops"] = {
            "budget": budget_of(operations, context, self.options.budget_g) / GIGA if self._learns else None,
            "before": started / GIGA, "after": float(operations().detach()) / GIGA}

    def stages(self, context: Context) -> Iterable[Stage]:
        """One schedule: the bits learn during the first sigma of it. Fig. 2b is measured without training."""
        options = self.options
        if options.sensitivity == "head":
            return
        stage = Stage("train", options.training, options.losses)
        if not self._learns:
            yield stage
            return
        penalty = Choice(name="bitops", options={"weight": options.eta, "budget": options.budget_g})
        given = any(isinstance(term, Choice) and term.name == "bitops" for term in options.losses)
        yield replace(stage, losses=options.losses if given else (*options.losses, penalty),
                      groups={"bits": Group(self._bit_rate(context, stage), until=options.sigma)})

    def _bit_rate(self, context: Context, stage: Stage) -> float:
        """The learning rate of the bit-widths.

        The paper's is that of the weights, in 700,000 steps. A normalised step of Adam is about as long as the rate,
        and a schedule has half of its rate on average: in some 20,000 steps or fewer no bit-width could move far.
        There the rate is the one with which it can move by :data:`REACH`.
        """
        rate, bits = stage.training.learning_rate, self.options.bits
        if bits.learning_rate is not None:
            return bits.learning_rate
        if context.trainer is None or not self.options.sigma:
            return rate
        return max(rate, 2 * REACH / (self.options.sigma * context.trainer.steps(stage)))
