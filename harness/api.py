"""The version of what ``import harness`` offers to plugins, and what a plugin says that it was written for."""

from __future__ import annotations

import ast
import re
from importlib.machinery import ModuleSpec

#: ``MAJOR.MINOR``. The minor grows with every addition, the major with the first removal; docs/plugin-policy.md.
API_VERSION = "1.0"

#: The name that a plugin's module gives its own version: ``harness_api = "1.0"``.
DECLARATION = "harness_api"


def declared_api(spec: ModuleSpec | None) -> str:
    """The version that a module declares, read from its source; empty where there is none.

    The module is not run: one that was written for another version would fail at an import, with a message that
    does not say why.
    """
    get_source = getattr(spec.loader, "get_source", None) if spec else None
    source = get_source(spec.name) if spec and get_source else None
    try:
        body = ast.parse(source or "").body
    except SyntaxError:  # importing it says where
        return ""
    for statement in body:
        targets = statement.targets if isinstance(statement, ast.Assign) else (
            [statement.target] if isinstance(statement, ast.AnnAssign) else [])
        if any(isinstance(target, ast.Name) and target.id == DECLARATION for target in targets):
            return ast.unparse(statement.value).strip("'\"") if statement.value else ""  # type: ignore[attr-defined]
    return ""


def api_problem(declared: str) -> str:
    """Why a plugin of this version cannot be used here, and what to do; empty where it can, or declares none."""
    if not declared:
        return ""
    if not re.fullmatch(r"\d+\.\d+", declared):
        return f"{DECLARATION} = {declared!r} is no API version; write {DECLARATION} = {API_VERSION!r}"
    (major, minor), (ours, additions) = _parts(declared), _parts(API_VERSION)
    if (major, minor) > (ours, additions):
        return (f"it is written for API {declared}, and this harness has {API_VERSION}; upgrade the harness: "
                "pip install --upgrade quantization-harness")
    if major < ours:
        return (f"it is written for API {declared}, and this harness has {API_VERSION}, where names of {major}.x are "
                "gone; upgrade the plugin, or tell its author")
    return ""


def _parts(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return int(major), int(minor)
