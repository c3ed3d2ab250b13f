"""The recipe of BiT."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence

from torch import nn

from harness import Context, Group, Identity, QuantizationAware, Stage

from .activation import use_relu
from .options import BitOptions

#: Bits of the activations on the way from full precision to one bit.
MIDDLE_BITS = 2


class Bit(QuantizationAware[BitOptions]):
    """Binary weights, elastic activations, and distillation from a less and less precise teacher.

    With ``multistep`` a student with 2-bit activations learns from the model in full precision first; the binary
    one starts from it and learns from it. Every step has the whole schedule of the paper.
    """

    def place(self, context: Context) -> None:
        if self.options.activation == "relu":
            context.notes["relu_in_place_of_gelu"] = use_relu(context.model)
        super().place(context)

    def stages(self, context: Context) -> Iterable[Stage]:
        training, losses = self.options.training, self.options.losses
        groups = {"scales": Group(learning_rate=training.scale_learning_rate)}
        binary = _binary_activations(context)
        if not (self.options.multistep and binary):
            yield Stage("train", training, losses, groups=groups)
            return
        self._change_bits(context, binary, MIDDLE_BITS)
        yield Stage("two_bit_activations", training, losses, share=0.5, groups=groups)
        teacher = copy.deepcopy(context.model).eval().requires_grad_(False)
        self._change_bits(context, binary, 1)
        yield Stage("binary", training, losses, share=0.5, groups=groups, teacher=teacher)

    def _change_bits(self, context: Context, paths: Sequence[str], bits: int) -> None:
        """New quantizers with the shifts of the old ones; scales start anew, as they do at the beginning."""
        for path in paths:
            site, before = context.model.sites[path], context.model.quantizer(path)
            quantizer = context.registry.create(context.registry.quantizers, self.quantizer_of(site), site, bits)
            learned, shift = getattr(before, "shift", None), getattr(quantizer, "shift", None)
            if isinstance(learned, nn.Module) and isinstance(shift, nn.Module):
                shift.load_state_dict(learned.state_dict())
            context.model.place(path, quantizer)
        self.calibrate(context)


def _binary_activations(context: Context) -> list[str]:
    """Paths of the activations that have one bit."""
    return [path for path, quantizer in context.model.quantizers.items()
            if not context.model.sites[path].is_weight and not isinstance(quantizer, Identity)
            and quantizer.mean_bits == 1]
