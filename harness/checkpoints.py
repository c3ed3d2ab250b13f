"""Loading a checkpoint: no code from the file is ever run, and nothing is loaded by half.

safetensors files hold only tensors. Pickled files (``.pth``, ``.pt``, ``.bin``) are read with
``torch.load(weights_only=True)``, which refuses anything that could run code.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import pickle
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .errors import DataError, StoreError

#: Where training scripts put the weights inside what they save, and what wrappers put before names.
_NESTS = ("state_dict", "model", "model_state_dict", "module")
_PREFIXES = ("module.", "_orig_mod.", "model.")
_SHOWN = 4

StateDict = dict[str, Tensor]


class Ignored:
    """Stands for what lies in a checkpoint beside the weights and is of no use here: built, and never looked at."""

    def __init__(self, *args: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


def load_weights(model: nn.Module, path: str | os.PathLike[str], *, sha256: str = "",
                 convert: Callable[[StateDict, nn.Module], Mapping[str, Tensor]] | None = None,
                 ignored: Collection[str] = ()) -> None:
    """Load a checkpoint file into ``model``, all of it or nothing.

    ``sha256`` (hex), if given, is checked before the file is parsed. ``convert(weights, model)``
    renames an older layout to the model's; it is called only where the names do not match as they
    are, and is not used if it also computes new tensors. ``ignored``: see :func:`read_weights`. Raises
    :class:`DataError` for a file that is missing, damaged, unsafe or has another hash, and for names or
    shapes that do not fit; the model is then unchanged.
    """
    fit_weights(model, read_weights(path, sha256=sha256, ignored=ignored), str(path), convert)


def fit_weights(model: nn.Module, weights: StateDict, source: str,
                convert: Callable[[StateDict, nn.Module], Mapping[str, Tensor]] | None = None) -> None:
    """The second half of :func:`load_weights`, for tensors already read; ``source`` names them in errors."""
    expected = model.state_dict()
    if convert is not None and weights.keys() != expected.keys():
        converted = convert(dict(weights), model)
        # Names may change, numbers may not: timm would resize position embeddings of another input size.
        same = {value.data_ptr() for value in weights.values()}
        if all(value.data_ptr() in same for value in converted.values()):
            weights = dict(converted)
    problem = _misfit(weights, expected)
    if problem:
        raise DataError(f"checkpoint {source} does not fit {type(model).__name__}: {problem}",
                        "Give the checkpoint of exactly this model and number of classes, or name the model it is of")
    model.load_state_dict(weights)


def read_weights(path: str | os.PathLike[str], *, sha256: str = "", ignored: Collection[str] = ()) -> StateDict:
    """The tensors of a checkpoint file by name, on the CPU, without wrappers' nesting and prefixes.

    ``ignored``: full names of classes and functions that a trainer's pickle mentions beside the weights (its
    logs); an :class:`Ignored` is put in their places, none of them is called. Raises :class:`DataError`; see
    :func:`load_weights`.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"no checkpoint file {path}", "Check the path given with --weights")
    if sha256:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256.lower():
            raise DataError(f"checkpoint {path} has SHA-256 {found}, not {sha256}",
                            "The file is damaged or another one; get it again")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path, ignored)
    weights = _innermost(content)
    if not weights:
        raise DataError(f"checkpoint {path} holds no tensors by name", "Give a file with the model's state_dict")
    return _without_prefixes(weights)


def _read_safetensors(path: Path) -> Mapping[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"checkpoint {path} cannot be read: {error}", "The file is damaged; get it again") from error


def read_plain(path: Path) -> dict[str, Any]:
    """A file of the harness's own, of tensors and plain data. Raises :class:`harness.StoreError`."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, IndexError, pickle.UnpicklingError) as error:
        raise StoreError(f"{path} cannot be read: {type(error).__name__}", "Remove it, and start again") from error


def _read_pickle(path: Path, ignored: Collection[str]) -> Any:
    try:
        # DeiT and its descendants save their command line beside the weights: plain data.
        with torch.serialization.safe_globals([argparse.Namespace, *((Ignored, name) for name in ignored)]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"checkpoint {path} was not loaded, because it holds more than tensors and could run code "
                        f"({reason})",
                        "If you trust its source, convert it to safetensors once, in a place where running its code "
                        "does no harm, and give that file") from error
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, IndexError) as error:
        raise DataError(f"checkpoint {path} cannot be read: {error}",
                        "The file is damaged or no checkpoint; get it again") from error


def _innermost(content: Any) -> StateDict:
    while isinstance(content, Mapping):
        nest = next((name for name in _NESTS if isinstance(content.get(name), Mapping)), None)
        if nest is None:
            return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
        content = content[nest]
    return {}


def _without_prefixes(weights: StateDict) -> StateDict:
    changed = True
    while changed:
        changed = False
        for prefix in _PREFIXES:
            if all(name.startswith(prefix) for name in weights):
                weights = {name.removeprefix(prefix): value for name, value in weights.items()}
                changed = True
    return weights


def _wrong_shapes(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    return [f"{name} is {tuple(weights[name].shape)} in the file and {tuple(tensor.shape)} in the model"
            for name, tensor in expected.items() if name in weights and weights[name].shape != tensor.shape]


def _misfit(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    """What does not fit, in words; empty where all names and shapes do."""
    faults = {"wrong shapes": _wrong_shapes(weights, expected),
              "missing": [name for name in expected if name not in weights],
              "not in the model": [name for name in weights if name not in expected]}
    return "; ".join(f"{len(names)} {what}: {', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''}"
                     for what, names in faults.items() if names)
