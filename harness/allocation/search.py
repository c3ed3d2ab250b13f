"""The base of searches of mixed precision: what ``METHOD.mixed`` names."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from ..method import Context, Search
from .options import AllocationOptions
from .space import BitSpace, weight_bytes

AllocationOptionsType = TypeVar("AllocationOptionsType", bound=AllocationOptions)


class AllocationSearch(Search[AllocationOptionsType]):
    """Chooses ``context.allocation`` within a budget, and notes what it chose.

    A subclass has a ``name`` (for the notes) and writes :meth:`choose`. Runs before anything is placed, on the model in
    full precision.
    """

    name: ClassVar[str]

    @abstractmethod
    def choose(self, context: Context, space: BitSpace) -> tuple[dict[str, int], Mapping[str, Any]]:
        """Site path -> bits within the budget, and plain data for the record."""

    def run(self, context: Context) -> None:
        """Set ``context.allocation``, and note in ``context.notes["allocation"]``:

        ``bits``: operation -> bits of its operands (weight/input, query/key, attention/value) where one of them may
        vary; ``bops`` and ``weight_bytes``: relative to the model at the run's bits; and what the search adds.
        """
        space = BitSpace(context, self.options)
        allocation, findings = self.choose(context, space)
        context.allocation = {path: allocation.get(path, _run_bits(space, path)) for path in space.sites}
        context.notes["allocation"] = {
            "search": self.name, "candidates": list(space.candidates), "budget": self.options.budget,
            "bops": round(space.total(context.allocation) / space.total({}), 4),
            "weight_bytes": round(space.total(context.allocation, weight_bytes) / space.total({}, weight_bytes), 4),
            "bits": {operation.path: "/".join(f"{context.allocation.get(operand.site, operand.mean_bits):g}"
                                              for operand in operation.operands)
                     for operation in space.operations
                     if any(operand.site in context.allocation for operand in operation.operands)},
            **findings}


def _run_bits(space: BitSpace, path: str) -> int:
    return int(space.base.model.quantizer(path).mean_bits)
