"""In which order a model calls its operations, and from where on some of them are not called again."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from torch import nn


class CallOrders:
    """What complete forwards have shown, batch by batch.

    A detector calls an operation once for each feature level, or region, and how often may depend on the
    picture: one visit does not mean that it is done. What never came before its last call, in any forward
    seen, does.
    """

    def __init__(self) -> None:
        self._orders: dict[tuple[str, ...], None] = {}
        self._batches: set[Hashable] = set()

    def knows(self, batch: Hashable) -> bool:
        """Whether the forward of ``batch`` was recorded."""
        return batch in self._batches

    @contextmanager
    def recorded(self, batch: Hashable, operations: Mapping[str, nn.Module]) -> Iterator[None]:
        """Record the forward of ``batch``, complete, that runs in the block."""
        calls: list[str] = []
        with ExitStack() as stack:
            for path, operation in operations.items():
                stack.callback(operation.register_forward_pre_hook(lambda *_, path=path: calls.append(path)).remove)
            yield
        self._orders[tuple(calls)] = None
        self._batches.add(batch)

    def after(self, operations: Collection[str]) -> set[str]:
        """The operations that are called only after the last call of all of ``operations``.

        Empty while one of these has never been called: then nothing is known.
        """
        called = {path for calls in self._orders for path in calls}
        if not called.issuperset(operations):
            return set()
        for calls in self._orders:
            last = max((index for index, path in enumerate(calls) if path in operations), default=-1)
            called.difference_update(calls[:last + 1])
        return called
