"""What every search promises; subclass :class:`SearchConformance` in your package's tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import torch

from ..errors import HarnessError
from ..options import merged
from ..registry import registry
from ..request import Bits
from .hosts import stand_ins, users_of
from .law import BrokenLawError, law, require
from .left_behind import LeftBehindLaws
from .method_contract import PLACED, nearest_bits
from .method_run import MethodRun, run_method


class SearchConformance(LeftBehindLaws):
    """Checks one search on a tiny transformer, in a method that uses it.

    ``search`` is its registered name, ``options`` what a method would give it. ``method``: the one it is tried in, and
    ``option`` the method's option that names it; by default one that chooses it itself, else min-max or LSQ.
    """

    kind = "search"
    search: ClassVar[str]
    method: ClassVar[str] = ""
    option: ClassVar[str] = "search"
    bits: ClassVar[int] = 4
    _run: ClassVar[MethodRun | None] = None
    _host: ClassVar[tuple[str, dict[str, Any], Bits]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._run = None

    def runs(self) -> Iterator[MethodRun]:
        yield self.made()

    def made(self) -> MethodRun:
        """The run of its method with it; made once."""
        cls = type(self)
        if cls._run is None:
            cls._run = self.run()
        return cls._run

    def run(self) -> MethodRun:
        """A fresh run in the first method that takes the search."""
        refused = []
        for method, options in self._hosts():
            try:
                host = method, options, nearest_bits(registry().methods[method], self.bits)
                run = run_method(*host, PLACED)
            except HarnessError as error:
                refused.append(f"in {method}: {error.message}")
            else:
                type(self)._host = host
                return run
        raise BrokenLawError("; ".join(refused) or "there is no method to try it in")

    def _hosts(self) -> Iterator[tuple[str, dict[str, Any]]]:
        chosen = {"name": self.name, **self.tried}
        if self.method:
            yield self.method, {self.option: chosen}
            return
        for name in users_of(self.spec):
            options = registry().methods[name].options.model_fields
            yield name, ({self.option: chosen} if self.option in options else {})
        for spec in stand_ins():
            yield spec.name, {"search": chosen}
            yield spec.name, {"mixed": chosen}

    @law("Set the quantizers' parameters, their bits, or context.allocation; refuse in words what you cannot set")
    def test_it_sets_something(self) -> None:
        context = self.made().context
        state = context.model.state_dict()
        before = run_method(*self._host, PLACED[:2]).model.state_dict()
        same = state.keys() == before.keys() and all(torch.equal(value, before[name]) for name, value in state.items())
        require(bool(context.allocation) or not same, "the model is as it was before the search")
        broken = [name for name, value in state.items() if value.is_floating_point() and not value.isfinite().all()]
        require(not broken, f"it sets {', '.join(broken[:3])} to NaN or infinity")

    @law("Draw every random number from context.generator")
    def test_the_same_seed_finds_the_same(self) -> None:
        first, second = self.made().model.state_dict(), self.run().model.state_dict()
        require(first.keys() == second.keys(), "a second run places other quantizers")
        different = [name for name, value in first.items() if not torch.equal(value, second[name])]
        require(not different, f"a second run finds another {', '.join(different[:3])}")

    def resolved(self, given: dict[str, Any]) -> Any:
        return super().resolved(merged(self.tried, given))
