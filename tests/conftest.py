"""Shared by all tests: one thread, Ctrl-C in child processes, and a torchvision that timm can import."""

from __future__ import annotations

import signal

import pytest


@pytest.fixture(autouse=True)
def _same_random_numbers() -> None:
    """A test that draws random tensors draws the same ones every time, whichever tests ran before it."""
    import torch

    torch.manual_seed(0)


def pytest_configure(config: pytest.Config) -> None:
    import torch

    from harness.torchvision_compat import ensure_torchvision

    # A shell's background job ignores SIGINT, and so would the processes that the tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    torch.set_num_threads(1)
    ensure_torchvision()
