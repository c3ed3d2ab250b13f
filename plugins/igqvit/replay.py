"""Running a model again from one operation on, with what came before it taken from a tape.

Toggling one layer changes only what follows it. The outputs of all operations (linear layers,
convolutions, products of attention) are recorded once; later forwards of the same inputs replay those
that come before the toggled one and compute only the cheap elementwise work between them.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from harness import InstrumentedModel

Tape = list[tuple[str, Tensor]]
"""Operation paths and their outputs in the order of the calls."""


@contextmanager
def recording(model: InstrumentedModel) -> Iterator[Tape]:
    """Record every operation's output while the block runs."""
    tape: Tape = []

    def writer(path: str) -> Callable[[nn.Module, Any, Tensor], None]:
        # Copies, because what follows may work in place.
        return lambda module, inputs, output: tape.append((path, output.clone()))

    with ExitStack() as stack:
        for path, operation in model.operations.items():
            stack.callback(operation.register_forward_hook(writer(path)).remove)
        yield tape


@contextmanager
def replaying(model: InstrumentedModel, tape: Tape, until: str) -> Iterator[Callable[[], None]]:
    """Replay the calls before the first call of ``until``; call what is yielded before every forward."""
    paths = [path for path, _ in tape]
    before = tape[:paths.index(until)]
    queues: dict[str, deque[Tensor]] = defaultdict(deque)

    def rewind() -> None:
        queues.clear()
        for path, output in before:
            queues[path].append(output)

    with ExitStack() as stack:
        for path in {path for path, _ in before}:
            operation = model.operation(path)
            setattr(operation, "forward", _player(queues, path, operation.forward))  # noqa: B010 - an instance's own
            stack.callback(delattr, operation, "forward")
        yield rewind


def _player(queues: dict[str, deque[Tensor]], path: str, compute: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def forward(*inputs: Any, **options: Any) -> Tensor:
        return queues[path].popleft().clone() if queues[path] else compute(*inputs, **options)
    return forward
