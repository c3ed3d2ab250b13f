"""The identity of a run: a short hash of what was asked, not of when or where it ran."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from ..errors import OptionError

#: Enters every hash. Raise it when the meaning of an input changes while its text does not; the same
#: change needs a step in ``harness.results.migrations``, which computes the identities of old records anew.
IDENTITY_VERSION = 1
LENGTH = 12


def identity(asked: Mapping[str, Any]) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of ``asked`` as canonical JSON.

    The order of keys does not matter, the order of lists does. Raises :class:`harness.OptionError` for NaN
    and infinity, and :class:`TypeError` for what JSON cannot carry unchanged.
    """
    return digest({"identity_version": IDENTITY_VERSION, "asked": _checked(asked, "asked")})


def digest(value: Any) -> str:
    """The short hash of plain data."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:LENGTH]


def _checked(value: Any, where: str) -> Any:
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{where}: the key {key!r} is not text")
        return {key: _checked(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_checked(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise OptionError(f"{where} is {value}, which cannot be part of a run's identity",
                          "Give a finite number")
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise TypeError(f"{where}: {type(value).__name__} is not plain JSON data")
