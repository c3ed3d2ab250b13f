"""A limit on the time of a run."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ..errors import HarnessError, OptionError

#: Seconds until a run that went on all the same is stopped again.
_AGAIN = 5.0


class TimeLimitError(HarnessError):
    """A run that took longer than it was given."""


class _OutOfTime(BaseException):
    """Not an :class:`Exception`, so that a plugin's ``except Exception`` in a loop does not swallow it."""


def can_be_limited() -> bool:
    """Whether there are alarm signals: not on Windows, and not outside of the main thread."""
    return hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread()


@contextmanager
def time_limit(seconds: float | None, source: str) -> Iterator[None]:
    """Stop the block after so many seconds with :class:`TimeLimitError`; ``source`` names the plugin that runs in it.

    By a timer of the operating system whose signal raises between two steps of Python, so that cleaning up works as
    for Ctrl-C, and a wait or a sleep is interrupted. What it cannot stop is a single call into compiled code that never
    comes back: against that only a process of its own helps (``timeout 3600 harness run ...``). Raises
    :class:`harness.OptionError` where there is no such timer (see :func:`can_be_limited`).
    """
    if seconds is None:
        yield
        return
    if not can_be_limited():
        raise OptionError("a time limit needs the main thread and a system with alarm signals",
                          "Leave --timeout out, and limit the whole command instead")
    armed, place = True, ""

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal place
        if armed:
            place = place or _place(frame)
            raise _OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    except _OutOfTime:
        raise TimeLimitError(f"not done after {seconds:g} seconds (--timeout)",
                             f"Give it more time, or mend what keeps {source}: it was stopped in {place}") from None
    finally:
        armed = False  # first of all: from here on the alarm does nothing
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _place(frame: FrameType | None) -> str:
    """Where the code of a plugin was, or whatever else ran: the innermost frame outside of torch."""
    while frame is not None and frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith("torch"):
        frame = frame.f_back
    return f"{frame.f_code.co_name}, {frame.f_code.co_filename}:{frame.f_lineno}" if frame else "code without a name"
