"""One pass over the calibration set: the ranges of operands, and what is kept of their operation's inputs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor

from harness import Context, MinMax, Uniform

from .inputs import Inputs
from .sample import LayerSample, ProductSample, allowed, rows_of_call
from .store import Store


class Capture:
    """The inputs of ``operations``, at most ``rows`` of each and picture (0: all); use as a context manager.

    One pass, in which an operation may be called several times a forward. Memory holds the sample of one
    batch; the ranges are those of everything.
    """

    def __init__(self, context: Context, operations: Collection[str], rows: int) -> None:
        self._context = context
        self._seed = context.generator.initial_seed() % (1 << 62)
        self._store = Store()
        generator = torch.Generator().manual_seed(self._seed)
        self._watches = {path: _Watch(context, path, rows, generator, self._store) for path in operations
                         if _activations(context, path)}
        with ExitStack() as unless_done:
            unless_done.enter_context(self._store)
            self._pass()
            unless_done.pop_all()

    def _pass(self) -> None:
        calibration = self._context.calibration
        pictures = range(len(calibration) if self._watches else 0)
        for start in pictures[::calibration.batch_size]:
            batch = pictures[start:start + calibration.batch_size]
            for watch in self._watches.values():
                watch.pictures = len(batch)
            calibration.observe(self._context.model, operations=self._watches, indices=batch)
            for watch in self._watches.values():
                watch.sample.finish(len(batch))

    def inputs(self, path: str) -> Inputs:
        """What was kept of an operation that has activations."""
        watch = self._watches[path]
        return Inputs(lambda size, seed: self._store.blocks(path, size, seed), self._store.count(path),
                      {operand: observer.range() for operand, observer in watch.ranges.items()},
                      self._context.calibration.device, self._seed, watch.scale, watch.rows_of_entry)

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, *exception: object) -> None:
        self._store.__exit__(*exception)


class _Watch:
    """The observer of one operation: ranges of its activations, and a sample of them."""

    def __init__(self, context: Context, path: str, rows: int, generator: torch.Generator, store: Store) -> None:
        model, self.pictures = context.model, 0
        self.operands = _activations(context, path)
        self.scale: float | Tensor = 1.0
        sites = model.sites_of(path)
        self.ranges = {operand: MinMax(quantizer.partition) for operand in self.operands
                       if isinstance(quantizer := model.quantizer(sites[operand].path), Uniform)}

        def write(tensors: Sequence[Tensor]) -> None:
            store.append(path, tensors)

        self.sample = (LayerSample(model.operation(path), rows, generator, write) if self.operands == ["input"]
                       else ProductSample(rows, generator, write))

    @property
    def rows_of_entry(self) -> float:
        """See :class:`.inputs.Inputs`; 0 for a layer."""
        return self.sample.rows_of_entry if isinstance(self.sample, ProductSample) else 0.0

    def __call__(self, *inputs: Any) -> None:
        tensors = list(inputs[:len(self.operands)])
        if tensors[0].numel() == 0:  # these pictures have no region to look at
            return
        for operand, tensor in zip(self.operands, tensors, strict=True):
            if operand in self.ranges:
                self.ranges[operand].observe(tensor)
        if isinstance(self.sample, ProductSample) and len(inputs) > len(tensors):
            self.scale = inputs[len(tensors)]
        self.sample.take(tensors, self.pictures)


def leaves_rows_out(context: Context, paths: Collection[str], rows: int) -> bool:
    """Whether some operation has more rows in the first picture than ``rows`` (and their width) let it keep."""
    counts = dict.fromkeys((path for path in paths if _activations(context, path)), 0)
    widths = dict.fromkeys(counts, 1)

    def look(path: str, *inputs: Any) -> None:
        if inputs[0].numel():
            more, widths[path] = rows_of_call(context.model.operation(path), inputs)
            counts[path] += more

    with context.model.full_precision():
        context.calibration.observe(context.model, indices=[0],
                                    operations={path: partial(look, path) for path in counts})
    return any(count > allowed(rows, widths[path]) for path, count in counts.items())


def _activations(context: Context, path: str) -> list[str]:
    """The operands of an operation that are activations, in the order of its inputs."""
    return [operand for operand, site in context.model.sites_of(path).items() if not site.is_weight]
