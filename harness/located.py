"""Finding a module without running any of its code, nor that of the packages around it."""

from __future__ import annotations

from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path


def located(module: str) -> ModuleSpec | None:
    """Where the import system would find ``module``; ``None`` where it would not."""
    top, *inner = module.partition(":")[0].split(".")
    try:
        found = find_spec(top)  # of a name without dots nothing is imported
    except (ImportError, ValueError):  # ValueError: a module that was put into sys.modules by hand
        return None
    for name in inner:
        if found is None:
            return None
        found = PathFinder.find_spec(f"{found.name}.{name}", found.submodule_search_locations)
    return found


def source_path(module: str) -> str:
    """The folder of a package, or the file of a module; empty where it has none."""
    spec = located(module)
    origin = spec.origin if spec and spec.has_location else None
    if not origin:
        return ""
    path = Path(origin)
    return str(path.parent if path.name == "__init__.py" else path)
