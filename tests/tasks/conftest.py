"""A cache folder of each test's own, and no data configured."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _own_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    for name in ("HARNESS_IMAGENET", "HARNESS_CIFAR10", "HARNESS_CIFAR100", "HARNESS_CACHE_GIB"):
        monkeypatch.delenv(name, raising=False)
