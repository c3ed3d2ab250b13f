"""The method ``pact``."""

from __future__ import annotations

from collections.abc import Iterable

from harness import ByRole, Context, Group, Stage

from .clipping import CLIPS, ClippedUniform
from .options import PactOptions


class Pact(ByRole[PactOptions]):
    """Learned clipping levels with a weight decay of their own."""

    def stages(self, context: Context) -> Iterable[Stage]:
        clipped = any(isinstance(quantizer, ClippedUniform) for quantizer in context.model.quantizers.values())
        groups = {CLIPS: Group(weight_decay=self.options.clip_decay)} if clipped else {}
        yield Stage("train", self.options.training, self.options.losses, groups=groups)
