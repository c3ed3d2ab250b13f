"""mmdet's detectors: built, loaded, and with the preparation of their input."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn, random

from harness import load_weights

from .mmcv_compat import ensure_mmcv
from .plain_layers import plain_layers

ensure_mmcv()

import mmdet.models  # noqa: E402, F401 - registers the classes that configurations name
from mmdet.registry import MODELS, TASK_UTILS  # noqa: E402
from mmengine.registry import DefaultScope  # noqa: E402

from .configs import configuration  # noqa: E402

#: What mmengine's Runner saves beside the weights: its logs.
_RUNNER_LOGS = ("mmengine.logging.history_buffer.HistoryBuffer", "numpy._core.multiarray._reconstruct",
                "numpy.core.multiarray._reconstruct", "numpy.ndarray", "numpy.dtype", "builtins.getattr")


def build(model: str, classes: int, seed: int = 0) -> nn.Module:
    """The detector with random weights drawn from ``seed``, in evaluation mode."""
    with random.fork_rng(devices=[]), _mmdet():
        random.manual_seed(seed)
        detector = MODELS.build(configuration(model, classes).model)
        detector.init_weights()
    return plain_layers(detector).eval()


def preprocessor(model: str, classes: int = 1) -> nn.Module:
    """What makes a batch of pictures the model's input: normalised, padded, stacked."""
    with _mmdet():
        return MODELS.build(configuration(model, classes).model.data_preprocessor)


def assigner(model: str) -> Any:
    """DETR's matching of queries to annotated objects, as in training."""
    with _mmdet():
        return TASK_UTILS.build(configuration(model, 1).model.train_cfg.assigner)


def load(detector: nn.Module, path: str | Path) -> None:
    """Load a checkpoint of mmdet's model zoo or of mmengine's Runner, or a safetensors file of the same names.

    Raises :class:`harness.DataError` like :func:`harness.load_weights`.
    """
    load_weights(detector, path, ignored=_RUNNER_LOGS)


@contextmanager
def _mmdet() -> Iterator[None]:
    """mmdet's classes are found by their short names, and building, which logs every tensor, says nothing."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with DefaultScope.overwrite_default_scope("mmdet"), warnings.catch_warnings():
            # mmdet's own configurations use names that mmcv deprecates; users can do nothing about it.
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        logging.disable(before)
