"""Which checkpoint a full-scale model takes. Light: no torch, no timm."""

from __future__ import annotations

from pathlib import Path

from harness import DataError, Weights, asked_weights, file_weights

from .image_sets import ImageSet
from .known_models import KNOWN_MODELS

HUB = "hub"
_FILE = "model.safetensors"


def full_weights(asked: str | None, model: str, image_set: ImageSet) -> Weights:
    """The checkpoint of a full-scale model: a file, random, or timm's own.

    Without ``asked``, timm's own checkpoint is taken if the Hugging Face cache of this machine has it;
    ``hub`` downloads it first. Raises :class:`DataError` where there is none.
    """
    if asked is not None and asked != HUB:
        return asked_weights(asked)
    if image_set.name != "imagenet":
        raise DataError(f"timm has no checkpoint of {model} for {image_set.title}",
                        "Give yours with --weights FILE (or --weights random, to try things out)")
    known = KNOWN_MODELS.get(model)
    name = known.name if known else model
    if "." not in name:
        raise DataError(f"which checkpoint of {model}?", "Name it in full (ARCHITECTURE.TAG), or give --weights FILE")
    return file_weights(_download(f"timm/{name}") if asked == HUB else _cached(f"timm/{name}"))


def _cached(repository: str) -> Path:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, _FILE)
    if not isinstance(found, str):
        raise DataError(f"no weights given, and {repository} is not in this machine's Hugging Face cache",
                        "Give --weights FILE, --weights hub to download it, or --weights random to try things out")
    return Path(found)


def _download(repository: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    try:
        return Path(hf_hub_download(repository, _FILE))
    except (OSError, EntryNotFoundError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{repository} cannot be downloaded: {reason}",
                        "Check the name and the network, or give --weights FILE") from error
