"""Looking at what training does: tensors at sites, divergence, and a user who wants to stop."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from ..errors import QuantizationError
from ..model.instrument import InstrumentedModel


@contextmanager
def watching(model: InstrumentedModel, paths: Collection[str]) -> Iterator[dict[str, Tensor]]:
    """Path -> the tensor, with its graph, that reached the site last, before its quantizer.

    A path that is no site's is a module's, and gives its last output (of several, the first). Raises
    :class:`harness.QuantizationError` for a path that is neither.
    """
    seen: dict[str, Tensor] = {}
    modules = dict(model.model.named_modules())
    with ExitStack() as stack:
        for path in paths:
            def see(_: nn.Module, inputs: tuple[Any, ...], path: str = path) -> None:
                seen[path] = inputs[0]

            def see_output(_: nn.Module, inputs: tuple[Any, ...], output: Any, path: str = path) -> None:
                seen[path] = output if isinstance(output, Tensor) else output[0]
            if path in model.sites:
                stack.callback(model.quantizer(path).register_forward_pre_hook(see).remove)
            elif path in modules:
                stack.callback(modules[path].register_forward_hook(see_output).remove)
            else:
                raise QuantizationError(f"a loss compares {path!r}, which the model or its teacher does not have",
                                        "Use a teacher of the same architecture (training.teacher=none)")
        yield seen


class DivergenceWatch:
    """Fails a training whose loss is not finite, or has climbed far above where it began.

    ``mean``: the loss averaged over about 50 steps. Climbed: above ten times its early mean plus ten.
    """

    EARLY = 20

    def __init__(self) -> None:
        self.mean = 0.0
        self.early = 0.0
        self.count = 0

    def update(self, loss: float, where: str) -> None:
        """Take one step's loss; raises :class:`harness.QuantizationError`."""
        remedy = "Lower the learning rate (METHOD.training.learning_rate), clip gradients, or use more bits"
        if not math.isfinite(loss):
            raise QuantizationError(f"training diverged: the loss is {loss} at {where}", remedy)
        self.count += 1
        rate = max(0.02, 1 / self.count)
        self.mean += rate * (loss - self.mean)
        if self.count <= self.EARLY:
            self.early = self.mean
        elif self.mean > 10 * abs(self.early) + 10:
            raise QuantizationError(f"training diverged: the loss rose from {self.early:.3g} to {self.mean:.3g} "
                                    f"at {where}", remedy)

    def state(self) -> list[float]:
        """What a snapshot keeps."""
        return [self.mean, self.early, self.count]

    def restore(self, state: list[float]) -> None:
        """Go on from :meth:`state`."""
        self.mean, self.early, self.count = state[0], state[1], int(state[2])


class Interruption:
    """``asked`` is true once the user pressed Ctrl-C or the process was told to end; a second time ends at once.

    Within the block the signals only set the mark, so that a step is never cut in two.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._mark)
        return self

    def _mark(self, *_: Any) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
