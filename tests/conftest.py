"""Shared by all tests: one thread, and a torchvision that timm can import beside any torch build."""

from __future__ import annotations

import importlib.util

import pytest


def _ensure_torchvision() -> None:
    import torch

    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEPT.append(library)


_KEPT: list[object] = []


def pytest_configure(config: pytest.Config) -> None:
    import torch

    torch.set_num_threads(1)
    if importlib.util.find_spec("harness.torchvision_compat"):
        from harness.torchvision_compat import ensure_torchvision

        ensure_torchvision()
    else:
        _ensure_torchvision()
