"""The calibration set as methods see it: streams of batches and of the tensors at sites.

Methods never hold the whole set: observers take one batch at a time and keep sufficient statistics,
so memory does not grow with the number of samples. Where a search must pass several times over the
same activations, :meth:`Calibration.spool` keeps them in a temporary memory-mapped file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import QuantizationError

if TYPE_CHECKING:
    from ..method import Samples
    from ..model.instrument import InstrumentedModel

Forward = Callable[[nn.Module, Any], Any]


class _EnoughSeen(Exception):  # noqa: N818 - a signal, not an error
    """Stops a forward pass once everything that was asked for has been seen."""


class Calibration:
    """The samples drawn for calibration, ``ids`` in the order drawn."""

    def __init__(self, samples: Samples, indices: list[int], forward: Forward, batch_size: int = 8,
                 device: torch.device | str = "cpu") -> None:
        self._samples, self._indices, self._forward = samples, indices, forward
        self.batch_size, self.device = batch_size, torch.device(device)
        self.ids = [samples.ids[index] for index in indices]

    def __len__(self) -> int:
        return len(self._indices)

    def batches(self, size: int | None = None, indices: Collection[int] | None = None) -> Iterator[Any]:
        """The inputs, a batch at a time; ``indices`` (0 .. len - 1) chooses some of the samples."""
        chosen = self._indices if indices is None else [self._indices[index] for index in indices]
        for batch in self._samples.batches(chosen, size or self.batch_size):
            yield to_device(batch.inputs, self.device)

    def forward(self, model: nn.Module, inputs: Any) -> Any:
        """The outputs of ``model`` on one batch of :meth:`batches`, with gradients where they are enabled."""
        return self._forward(model, inputs)

    @torch.no_grad()
    def outputs(self, model: InstrumentedModel, indices: Collection[int] | None = None) -> Iterator[Any]:
        """The model's outputs, a batch at a time."""
        for inputs in self.batches(indices=indices):
            yield self._forward(model, inputs)

    @torch.no_grad()
    def observe(self, model: InstrumentedModel, *,
                sites: Mapping[str, Callable[[Tensor], Any]] | None = None,
                operations: Mapping[str, Callable[..., Any]] | None = None,
                batch_size: int | None = None, indices: Collection[int] | None = None) -> None:
        """One pass over the set; each observer takes every tensor that reaches its place.

        ``sites``: path -> observer of the tensor *before* it is quantized. ``operations``: path ->
        observer of the positional inputs of the operation. The forward stops as soon as all places
        were visited, so that observing an early block costs no full forward. Raises
        :class:`QuantizationError` on NaN or infinity.
        """
        sites, operations = sites or {}, operations or {}
        modules: dict[str, tuple[nn.Module, Callable[..., Any]]] = {
            path: (model.quantizer(path), observer) for path, observer in sites.items()}
        modules |= {path: (model.operation(path), observer) for path, observer in operations.items()}
        for inputs in self.batches(batch_size, indices):
            with _hooks(modules):
                try:
                    self._forward(model, inputs)
                except _EnoughSeen:
                    continue

    def spool(self, model: InstrumentedModel, operations: Collection[str],
              folder: str | None = None) -> Spool:
        """Keep the inputs of ``operations`` in a temporary file, to pass over them several times."""
        spool = Spool(operations, folder)
        with ExitStack() as unless_done:
            unless_done.enter_context(spool)
            self.observe(model, operations={path: spool.writer(path) for path in operations})
            unless_done.pop_all()
        return spool


class Spool:
    """Inputs of operations, one chunk a calibration batch, on disk; use as a context manager."""

    def __init__(self, operations: Collection[str], folder: str | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="harness-spool-", dir=folder)
        self._chunks: dict[str, list[tuple[np.memmap, ...]]] = {path: [] for path in operations}

    def writer(self, operation: str) -> Callable[..., None]:
        """An observer that appends the tensors among an operation's inputs."""
        def write(*inputs: Any) -> None:
            chunk: list[np.memmap] = []
            for tensor in inputs:
                if isinstance(tensor, Tensor) and tensor.dim() > 0:
                    number = sum(len(c) for chunks in self._chunks.values() for c in chunks) + len(chunk)
                    file = np.memmap(Path(self._folder.name) / str(number), dtype=np.float32, mode="w+",
                                     shape=tuple(tensor.shape))
                    file[...] = tensor.detach().float().cpu().numpy()
                    file.flush()
                    chunk.append(file)
            self._chunks[operation].append(tuple(chunk))
        return write

    def chunks(self, operation: str) -> Iterator[tuple[Tensor, ...]]:
        """The stored inputs of one operation, a calibration batch at a time."""
        for chunk in self._chunks[operation]:
            yield tuple(torch.from_numpy(np.array(file)) for file in chunk)

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *exception: object) -> None:
        self._chunks.clear()
        self._folder.cleanup()


@contextmanager
def _hooks(modules: Mapping[str, tuple[nn.Module, Callable[..., Any]]]) -> Iterator[None]:
    waiting = set(modules)
    with ExitStack() as stack:
        for path, (module, observer) in modules.items():
            def see(_: nn.Module, inputs: tuple[Any, ...], path: str = path,
                    observer: Callable[..., Any] = observer) -> None:
                for tensor in inputs:
                    if isinstance(tensor, Tensor) and not bool(torch.isfinite(tensor).all()):
                        raise QuantizationError(f"NaN or infinity in calibration data at {path!r}",
                                                "Check the inputs, the weights and the preprocessing")
                observer(*inputs)
                waiting.discard(path)
                if not waiting:
                    raise _EnoughSeen
            stack.callback(module.register_forward_pre_hook(see).remove)
        yield


def to_device(inputs: Any, device: torch.device) -> Any:
    """``inputs`` (a tensor, or a mapping of them) on ``device``; anything else unchanged."""
    if isinstance(inputs, Tensor):
        return inputs.to(device)
    if isinstance(inputs, Mapping):
        return {name: to_device(value, device) for name, value in inputs.items()}
    return inputs
