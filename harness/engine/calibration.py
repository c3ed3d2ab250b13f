"""The calibration set as methods see it: streams of batches and of the tensors at sites.

Methods never hold the whole set: observers take one batch at a time and keep sufficient statistics,
so memory does not grow with the number of samples.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ..errors import QuantizationError
from .calls import CallOrders

if TYPE_CHECKING:
    from ..method import Samples
    from ..model.instrument import InstrumentedModel

Forward = Callable[[nn.Module, Any], Any]


class _EnoughSeen(Exception):  # noqa: N818 - a signal, not an error
    """Stops a forward pass once everything that was asked for has been seen."""


class Calibration:
    """The samples drawn for calibration, ``ids`` in the order drawn."""

    def __init__(self, samples: Samples, indices: list[int], forward: Forward, batch_size: int = 8,
                 device: torch.device | str = "cpu", response: Forward | None = None) -> None:
        self._samples, self._indices, self._forward = samples, indices, forward
        self._response = response or forward
        self.batch_size, self.device = batch_size, torch.device(device)
        self.ids = [samples.ids[index] for index in indices]
        self._orders: WeakKeyDictionary[InstrumentedModel, CallOrders] = WeakKeyDictionary()

    def __len__(self) -> int:
        return len(self._indices)

    def batches(self, size: int | None = None, indices: Collection[int] | None = None) -> Iterator[Any]:
        """The inputs, a batch at a time; ``indices`` (0 .. len - 1) chooses some of the samples."""
        chosen = self._indices if indices is None else [self._indices[index] for index in indices]
        for batch in self._samples.batches(chosen, size or self.batch_size):
            yield to_device(batch.inputs, self.device)

    def forward(self, model: nn.Module, inputs: Any) -> Any:
        """The forward that is observed (see :meth:`harness.Task.observed`) on one batch of :meth:`batches`."""
        return self._forward(model, inputs)

    def response(self, model: nn.Module, inputs: Any) -> Any:
        """The response (see :meth:`harness.Task.response`) of ``model`` to one batch of :meth:`batches`.

        With gradients where they are enabled.
        """
        return self._response(model, inputs)

    @torch.no_grad()
    def responses(self, model: InstrumentedModel, indices: Collection[int] | None = None) -> Iterator[Any]:
        """The model's responses, a batch at a time."""
        for inputs in self.batches(indices=indices):
            yield self._response(model, inputs)

    @torch.no_grad()
    def observe(self, model: InstrumentedModel, *,
                sites: Mapping[str, Callable[[Tensor], Any]] | None = None,
                operations: Mapping[str, Callable[..., Any]] | None = None,
                batch_size: int | None = None, indices: Collection[int] | None = None) -> None:
        """One pass over the set; each observer takes every tensor that reaches its place.

        ``sites``: path -> observer of the tensor *before* it is quantized. ``operations``: path ->
        observer of the positional inputs of the operation, at each of its calls. A batch's first forward
        through ``model`` is complete; later ones stop once all places were visited for the last time (see
        :class:`CallOrders`), so that observing an early block costs no full forward. Raises
        :class:`QuantizationError` on NaN or infinity.
        """
        sites, operations = sites or {}, operations or {}
        places: dict[str, tuple[nn.Module, Callable[..., Any]]] = {
            path: (model.quantizer(path), observer) for path, observer in sites.items()}
        places |= {path: (model.operation(path), observer) for path, observer in operations.items()}
        orders, modules = self._orders.setdefault(model, CallOrders()), model.operations
        watched = {model.sites[path].operation for path in sites} | set(operations)
        asked = (batch_size or self.batch_size, None if indices is None else tuple(indices))
        for number, inputs in enumerate(self.batches(batch_size, indices)):
            batch = (*asked, number)
            until = (_stopping(modules[path] for path in orders.after(watched)) if orders.knows(batch)
                     else orders.recorded(batch, modules))
            with _observing(places), suppress(_EnoughSeen), until:
                self._forward(model, inputs)


@contextmanager
def _observing(places: Mapping[str, tuple[nn.Module, Callable[..., Any]]]) -> Iterator[None]:
    with ExitStack() as stack:
        for path, (module, observer) in places.items():
            def see(_: nn.Module, inputs: tuple[Any, ...], path: str = path,
                    observer: Callable[..., Any] = observer) -> None:
                tensors = [tensor for tensor in inputs if isinstance(tensor, Tensor)]
                if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors):
                    raise QuantizationError(f"NaN or infinity in calibration data at {path!r}",
                                            "Check the inputs, the weights and the preprocessing")
                if all(tensor.numel() for tensor in tensors):  # a call without regions shows nothing
                    observer(*inputs)
            stack.callback(module.register_forward_pre_hook(see).remove)
        yield


@contextmanager
def _stopping(modules: Iterable[nn.Module]) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise _EnoughSeen

    with ExitStack() as stack:
        for module in modules:
            stack.callback(module.register_forward_pre_hook(stop).remove)
        yield


def to_device(inputs: Any, device: torch.device) -> Any:
    """``inputs`` on ``device``: a tensor, whatever else has a method ``to``, or mappings and lists of them."""
    if isinstance(inputs, Mapping):
        return {name: to_device(value, device) for name, value in inputs.items()}
    if isinstance(inputs, list | tuple):
        return type(inputs)(to_device(value, device) for value in inputs)
    return inputs.to(device) if hasattr(inputs, "to") else inputs
