"""Laws: what every component of a kind promises, as methods that are tests at the same time.

A law is a method ``test_...`` of a :class:`Conformance` class, marked with what to mend where it is broken. Its name,
in words, is the law. ``harness check``, ``pytest --pyargs harness.testing --plugin NAME`` and a subclass in a package's
own tests run the same methods.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from ..engine.time_limit import TimeLimitError, can_be_limited, time_limit
from ..errors import HarnessError
from ..registry import registry

Method = TypeVar("Method", bound=Callable[..., None])

#: Kind of a component -> the registry's catalogue of it.
CATALOGUES = {"method": "methods", "quantizer": "quantizers", "search": "searches", "loss": "losses", "task": "tasks",
              "adapter": "adapters", "suite": "suites", "cost": "costs"}


#: The law without which none of the others can be tried.
LOADED = "test_its_code_can_be_loaded"


class BrokenLawError(AssertionError):
    """What was seen of a law that is broken."""


def require(kept: bool, seen: str) -> None:
    """Raise :class:`BrokenLawError` with what was ``seen`` unless the law is ``kept`` (with ``python -O``, too)."""
    if not kept:
        raise BrokenLawError(seen)


def law(mend: str) -> Callable[[Method], Method]:
    """Mark a method of a :class:`Conformance` class as a law; ``mend``: what to do where it is broken."""
    def mark(method: Method) -> Method:
        method.mend = mend  # type: ignore[attr-defined]
        return method
    return mark


@dataclass(frozen=True)
class Verdict:
    """What became of one law: ``seen`` is empty where it is kept. ``trace``: of an error that is no message.

    ``last``: no other law of the component can be tried.
    """

    law: str
    seen: str
    mend: str
    seconds: float
    trace: str = ""
    last: bool = False

    @property
    def kept(self) -> bool:
        """Whether the component keeps the law."""
        return not self.seen


class Conformance:
    """The base of all suites. ``kind`` is that of the component, and the attribute that holds its name.

    A class has no state of its own: what a law prepares is kept by the class, for the laws after it.
    """

    kind: ClassVar[str] = ""

    @property
    def name(self) -> str:
        """The component's registered name."""
        return getattr(self, self.kind)

    @property
    def spec(self) -> Any:
        """Its description."""
        return getattr(registry(), CATALOGUES[self.kind])[self.name]

    @classmethod
    def laws(cls) -> dict[str, Callable[..., None]]:
        """Name of every law -> its method, those of base classes first."""
        found: dict[str, Callable[..., None]] = {}
        for base in reversed(cls.__mro__):
            found |= {name: getattr(cls, name) for name in vars(base) if name.startswith("test_")}
        return found

    def hints(self) -> list[str]:
        """What is worth knowing and breaks no law."""
        return []


def worded(law: str) -> str:
    """A law's name as a sentence."""
    return law.removeprefix("test_").replace("_", " ")


def judge(case: Conformance, law: str, timeout: float | None = None) -> Verdict:
    """Try one law. Whatever it raises, the law is broken; so it is after ``timeout`` seconds (not on Windows)."""
    start = time.perf_counter()
    seen = trace = ""
    mend, last = getattr(getattr(case, law), "mend", ""), law == LOADED
    try:
        with time_limit(timeout if can_be_limited() else None, case.spec.plugin):
            getattr(case, law)()
        last = False
    except BrokenLawError as error:
        seen = str(error)
    except TimeLimitError as error:
        seen, mend, last = error.message, error.remedy, True
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a component may fail in any way
        seen = f"{type(error).__name__}: {error}"
        trace = "" if isinstance(error, HarnessError) else "".join(traceback.format_exception(error))
    return Verdict(law, seen, mend, time.perf_counter() - start, trace, last)


def judged(case: Conformance, timeout: float | None = None) -> Iterator[Verdict]:
    """Every law of a case, one after the other, until one is the last: its code is not there, or does not end."""
    for law in case.laws():
        verdict = judge(case, law, timeout)
        yield verdict
        if verdict.last:
            return


def hints_of(case: Conformance) -> list[str]:
    """Its hints; none where what they are made from does not work."""
    try:
        return case.hints()
    except (Exception, SystemExit):  # noqa: BLE001 - a law says what is wrong
        return []
