"""The search ``edmips``."""

from __future__ import annotations

from typing import Any

from harness import AllocationSearch, BitSpace, Context, train_supernet

from .mixture import Complexity, SoftmaxMixture
from .options import EdmipsOptions


class EdmipsSearch(AllocationSearch[EdmipsOptions]):
    """Cai and Vasconcelos 2020: every site mixes its quantizers of all candidate bits; logits and weights are trained
    on task loss plus complexity, and the most probable bits are taken.
    """

    name = "edmips"

    def choose(self, context: Context, space: BitSpace) -> tuple[dict[str, int], dict[str, Any]]:
        """Raises :class:`harness.QuantizationError` for quantizers that no supernet can train."""
        options = self.options
        mixtures, training = train_supernet(
            space, lambda site, quantizers: SoftmaxMixture(quantizers, options.start), options,
            Complexity(space, options.complexity), self.name)
        logs = {path: dict(zip(space.candidates, mixture.alpha.log_softmax(0).tolist(), strict=True))
                for path, mixture in mixtures.items()}
        expected = {path: mixture.mean_bits for path, mixture in mixtures.items()}
        findings = {"expected_bops": round(space.total(expected) / space.total({}), 4), "training": training}
        if options.discretize == "argmax":
            return {path: max(values, key=lambda bits: values[bits]) for path, values in logs.items()}, findings
        return space.best({path: {bits: -value for bits, value in values.items()} for path, values in logs.items()}
                          ), findings
