"""The search ``hawq``."""

from __future__ import annotations

from typing import Any

import torch

from harness import AllocationSearch, BitSpace, Context, bit_operations, weight_bytes

from .options import HawqOptions
from .trace import traces_of_task_loss


class HawqSearch(AllocationSearch[HawqOptions]):
    """Dong et al. 2020: the weights' bits of least ``Omega = sum Tr(H) / n * ||Q_b(W) - W||^2`` within the budget.

    ``n``: elements of a weight W. Activations keep the run's bits.
    """

    name = "hawq"

    def choose(self, context: Context, space: BitSpace) -> tuple[dict[str, int], dict[str, Any]]:
        """Raises :class:`harness.QuantizationError` for a budget that cannot be met."""
        weights = [path for path, site in space.sites.items() if site.is_weight]
        traces = traces_of_task_loss(context, weights, self.options)
        omega = {path: {bits: max(0.0, traces[path]) * self._mean_error(space, path, bits)
                        for bits in space.candidates} for path in weights}
        allocation = space.best(omega, weight_bytes if self.options.measure == "size" else bit_operations)
        return allocation, {
            "measure": self.options.measure, "omega": float(f"{sum(omega[p][b] for p, b in allocation.items()):.5g}"),
            "traces": {space.sites[path].operation: float(f"{trace:.5g}") for path, trace in traces.items()}}

    @torch.no_grad()
    def _mean_error(self, space: BitSpace, path: str, bits: int) -> float:
        """``||Q_b(W) - W||^2 / n``."""
        weight = space.base.model.operation(space.sites[path].operation).get_parameter("weight")
        return float((space.quantizers(bits)[path].quantize(weight).double() - weight).square().mean())
