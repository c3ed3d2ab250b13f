"""Typed options of plugins, and ``--set KEY=VALUE``.

An options class is a frozen pydantic model with a description for every field; the same class
feeds validation, ``harness show`` and the record. A field of type :class:`Choice` names another
component (``search``, ``quantizer``, ...) and carries that component's own options, so that any
recipe can be recombined from the command line::

    --set ptqvit.search=minmax                 another component
    --set ptqvit.search.similarity=cosine      an option of the default component
    --set lsq.losses=[kd,obr]                  a list of components
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.config import JsonDict

from .errors import OptionError, UnknownNameError

#: ``Field(..., json_schema_extra=ADDED_LATER)``: an option that came after records were made, whose default
#: is what was done before. It enters a run's identity only where it differs from that default, so that the
#: records stay valid.
ADDED_LATER: JsonDict = {"identity": "unless default"}


class Options(BaseModel):
    """Base of every options class: frozen, and unknown names are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    def asked(self) -> list[str]:
        """The names of the options that enter a run's identity (see :data:`ADDED_LATER`)."""
        return [name for name, field in type(self).model_fields.items()
                if field.json_schema_extra != ADDED_LATER or getattr(self, name) != field.default]


def mutable_option(options: type[Options]) -> str:
    """What of an options class could change after it was made, in a few words; empty where nothing could.

    Options are shared by runs and enter their identity: a list that a method appends to would change both.
    What a ``default_factory`` makes belongs to one object alone.
    """
    if not options.model_config.get("frozen"):
        return f"{options.__name__} is not frozen"
    for name, field in options.model_fields.items():
        if isinstance(field.default, Options):
            if inner := mutable_option(type(field.default)):
                return inner
        elif not _hashable(field.default):
            return f"option {name!r} has the mutable default {field.default!r}"
    return ""


def _hashable(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_hashable, value))
    if isinstance(value, Choice | Options):  # frozen, though what a choice passes on has no hash
        return True
    try:
        hash(value)
    except TypeError:
        return False
    return True


class Choice(BaseModel):
    """A component by name, with the options given to it (validated when it is looked up)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_shorthand(cls, value: Any) -> Any:
        """Accept ``"name"`` and ``{"name": ..., key: value}`` besides the long form."""
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, Mapping) and "name" in value and "options" not in value:
            return {"name": value["name"], "options": {k: v for k, v in value.items() if k != "name"}}
        return value


OptionsType = TypeVar("OptionsType", bound=Options)


def parse_assignments(pairs: Sequence[str]) -> dict[str, Any]:
    """Turn ``["a.b=1", "a.c=[x,y]"]`` into ``{"a": {"b": 1, "c": ["x", "y"]}}``.

    Raises :class:`OptionError` for a pair without ``=`` and for a key given two meanings.
    """
    tree: dict[str, Any] = {}
    for pair in pairs:
        key, separator, text = pair.partition("=")
        path = [part.strip() for part in key.split(".")]
        if not separator or not all(path):
            raise OptionError(f"--set {pair!r} is not of the form KEY=VALUE",
                              "Example: --set ptqvit.search.similarity=cosine")
        node = tree
        for part in path[:-1]:
            node = _descend(node, part, pair)
        if isinstance(node.get(path[-1]), dict):
            node[path[-1]]["name"] = parse_value(text)
        else:
            node[path[-1]] = parse_value(text)
    return tree


def _descend(node: dict[str, Any], part: str, pair: str) -> dict[str, Any]:
    child = node.setdefault(part, {})
    if isinstance(child, str):  # "search=minmax" followed by "search.x=1"
        child = node[part] = {"name": child}
    if not isinstance(child, dict):
        raise OptionError(f"--set {pair!r}: {part!r} already has the value {child!r}",
                          "Give an option either a value or sub-options, not both")
    return child


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with what ``over`` says in its place; mappings are merged key by key."""
    both = dict(base)
    for key, value in over.items():
        before = both.get(key)
        both[key] = merged(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
    return both


def parse_value(text: str) -> Any:
    """A value as JSON writes it; ``none`` is null; ``[a,b]`` is a list of words; anything else is text."""
    text = text.strip()
    if text == "none":
        return None
    try:
        return json.loads(text, parse_constant=_refuse)
    except ValueError:
        pass
    if text.startswith("[") and text.endswith("]"):
        return [parse_value(item) for item in text[1:-1].split(",") if item.strip()]
    return text


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def resolve(options: type[OptionsType], given: Mapping[str, Any], owner: str) -> OptionsType:
    """Validate ``given`` against ``options``; ``owner`` (``"method ptqvit"``) names it in errors.

    A mapping given for a :class:`Choice` field without a ``name`` keeps the default component and
    passes the rest on as that component's options.
    """
    merged = dict(given)
    for name, field in options.model_fields.items():
        value = merged.get(name)
        if isinstance(field.default, Choice) and isinstance(value, Mapping):
            merged[name] = _merge_choice(field.default, value)
    try:
        return options(**merged)
    except ValidationError as error:
        raise _readable(error, options, owner) from None


def _merge_choice(default: Choice, value: Mapping[str, Any]) -> dict[str, Any]:
    given = dict(value)
    name = given.pop("name", default.name)
    inner = given.pop("options", {}) | given
    kept = default.options if name == default.name else {}
    return {"name": name, "options": {**kept, **inner}}


def _readable(error: ValidationError, options: type[Options], owner: str) -> OptionError:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        unknown = UnknownNameError(f"option of {owner}:", where, _names_beside(options, first["loc"]))
        return OptionError(unknown.message, unknown.remedy)
    shown = json.dumps(first.get("input"), default=str)
    field = options.model_fields.get(str(first["loc"][0])) if first["loc"] else None
    about = f"{where}: {field.description}" if field is not None and field.description else ""
    return OptionError(f"{owner}: option {where!r} = {shown}: {first['msg']}", about)


def _names_beside(options: type[Options], place: tuple[int | str, ...]) -> list[str]:
    """The options that exist where an unknown one was given, with their prefix."""
    for part in place[:-1]:
        field = options.model_fields.get(str(part))
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, Options)):
            return []
        options = field.annotation
    return [".".join([*map(str, place[:-1]), name]) for name in options.model_fields]
