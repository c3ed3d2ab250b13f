"""The recipe of Quantformer: one range a layer, then the search of the assignment, then the found groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from harness import Choice, Context, Group, LossOptions, QuantizationAware, Site, Stage, TrainingOptions

from .assignment import AssignmentEntropy, divide, grouped, in_block
from .options import QuantformerOptions
from .sard import model_sard

_ATTENTION = ("query", "key", "value", "attention")
_OWN_ACTIVATIONS = ("quantformer_groups", "quantformer_centre")
#: Shares of a budget: nearly all of the paper's 126 epochs are the first stage's, which would leave the others nothing.
FIRST, SEARCH, FINETUNE = 0.6, 0.15, 0.25


class Quantformer(QuantizationAware[QuantformerOptions]):
    """Quantization-aware training in three stages (official code); two where there is nothing to search."""

    def quantizer_of(self, site: Site) -> Choice:
        if site.is_weight:
            return super().quantizer_of(site)
        choice = self.options.attention if site.operand in _ATTENTION else self.options.activations
        if self.options.compat_code_step and choice.name in _OWN_ACTIVATIONS:
            return Choice(name=choice.name, options={"compat_code_step": True, **choice.options})
        return choice

    def bits_of(self, site: Site, context: Context) -> int:
        fixed = None if in_block(site) or site.role == "word_embedding" else self.options.other_bits
        if site.operand in _ATTENTION:
            fixed = self.options.attention_bits
        return super().bits_of(site, context) if fixed is None else fixed

    def stages(self, context: Context) -> Iterable[Stage]:
        """What stands between two stages follows from the model's state: a resumed run repeats it."""
        options = self.options
        searched = options.granularity == "group" and options.assign == "search" and bool(grouped(context.model))
        yield Stage("qat", options.training, options.first_losses, FIRST + (0 if searched else SEARCH),
                    self._groups(options.training))
        if options.granularity != "layer":
            divide(context, options.groups if options.granularity == "group" else 0, searched, options.regroup_images)
        if searched:
            regulariser = AssignmentEntropy(LossOptions(weight=options.assignment_entropy))
            yield Stage("search", options.searching, (*options.losses, regulariser), SEARCH,
                        self._groups(options.searching, assignment=Group(
                            options.assignment_learning_rate, options.searching.weight_decay)))
            if options.assign_final == "hard":
                for quantizer in grouped(context.model).values():
                    quantizer.harden()
        frozen = {"assignment": Group(until=0)} if searched and options.assign_final == "soft" else {}
        yield Stage("finetune", options.finetuning, options.losses, FINETUNE,
                    self._groups(options.finetuning, **frozen))
        self._note(context)

    def _groups(self, training: TrainingOptions, **more: Group) -> Mapping[str, Group]:
        if not self.options.decay_ranges:
            return more
        return {"scales": Group(weight_decay=training.weight_decay), **more}

    def _note(self, context: Context) -> None:
        """Channels of each group, the largest first, and the rank difference of attention."""
        context.notes["channels_of_groups"] = {
            path: sorted(Counter(quantizer.group.tolist()).values(), reverse=True)
            for path, quantizer in grouped(context.model).items() if len(quantizer.ranges) < len(quantizer.group)}
        if self.options.sard_images and context.trainer is not None:
            context.notes["sard"] = model_sard(context, context.trainer.teacher(), self.options.sard_images)
