"""Bringing records of older schema versions up to date, one step a version.

A change of the schema raises :data:`SCHEMA_VERSION` and adds a function ``update_to_N`` that takes the
plain data of version N - 1 to version N, to :data:`STEPS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import StoreError

SCHEMA_VERSION = 1

Step = Callable[[dict[str, Any]], dict[str, Any]]

#: Version -> the function that makes it from the version before. Version 1 is the first.
STEPS: Mapping[int, Step] = {}


def migrate(data: Mapping[str, Any], steps: Mapping[int, Step] = STEPS,
            current: int = SCHEMA_VERSION) -> dict[str, Any]:
    """``data`` of a record at schema version ``current``.

    Raises :class:`harness.StoreError` for a newer version, and :class:`ValueError` where there is no version.
    """
    version = readable_version(data, current)
    updated = dict(data)
    for number in range(version + 1, current + 1):
        updated = {**steps[number](updated), "schema_version": number}
    return updated


def readable_version(data: Mapping[str, Any], current: int = SCHEMA_VERSION) -> int:
    """The schema version of ``data``; raises as :func:`migrate` does."""
    version = data.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ValueError(f"schema_version is {version!r}, not a version number")
    if version > current:
        raise StoreError(f"record of schema version {version}; this harness reads up to {current}",
                         "Upgrade: pip install --upgrade quantization-harness")
    return version
