"""A checksum in each record's file, so that a figure that was changed by hand is seen."""

from __future__ import annotations

import hashlib
import json
from typing import Any

FIELD = "checksum"


def sealed(text: str) -> str:
    """The text of a record with the checksum of its content."""
    data = json.loads(text)
    return json.dumps({**data, FIELD: checksum(data)}, sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def opened(data: dict[str, Any]) -> dict[str, Any]:
    """The content without its checksum. Older records have none. Raises :class:`ValueError` where it does not fit."""
    if FIELD not in data:
        return data
    content = {name: value for name, value in data.items() if name != FIELD}
    if data[FIELD] != checksum(content):
        raise ValueError("changed after it was written (its checksum does not fit)")
    return content


def checksum(content: dict[str, Any]) -> str:
    """The checksum of a record's values; spaces and the order of keys do not matter."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()
