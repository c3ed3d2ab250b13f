"""Shared by all tests: one thread, and a torchvision that timm can import beside any torch build."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    import torch

    from harness.torchvision_compat import ensure_torchvision

    torch.set_num_threads(1)
    ensure_torchvision()
