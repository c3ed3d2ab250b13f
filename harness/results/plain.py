"""Free-form parts of a record (a method's notes, coverage, options) as plain JSON data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ValidationInfo


def plain(value: Any) -> Any:
    """``value`` with only ``dict`` (text keys), ``list``, ``str``, ``int``, ``float``, ``bool`` and ``None``.

    Arrays, tensors and their scalars become numbers and lists. What a note holds must never cost the
    run it belongs to, so numbers that JSON does not know become the texts ``"nan"``, ``"inf"`` and
    ``"-inf"``, and any other object its ``str``. Raises :class:`ValueError` where two keys become one.
    """
    if value is None or isinstance(value, str | bool):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, BaseModel):
        return plain(value.model_dump())
    if isinstance(value, Mapping):
        result = {str(key): plain(item) for key, item in value.items()}
        if len(result) != len(value):
            raise ValueError(f"two keys of {sorted(map(str, value))} are the same text")
        return result
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=str)
    if hasattr(value, "tolist"):  # numpy and torch, without importing either
        return plain(value.tolist())
    return str(value)


#: Context of a validation of what was just read as JSON, which is plain.
READ_AS_JSON = {"plain": True}


def _made_plain(value: Any, info: ValidationInfo) -> Any:
    return value if info.context is READ_AS_JSON else plain(value)


#: A field of any plain JSON data.
Json = Annotated[Any, BeforeValidator(_made_plain)]
#: A field of named plain JSON data.
JsonObject = Annotated[dict[str, Any], BeforeValidator(_made_plain)]
