"""Planting components in the registry for the length of a test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from harness.discovery import Plugin
from harness.registry import registry
from harness.specs import Spec
from harness.testing.cases import Case
from harness.testing.law import CATALOGUES, Conformance
from harness.testing.mini_task import built

PLUGIN = Plugin("faulty", "faulty", "harness-faulty", "1.2")


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Conformance]:
    """``plant(kind, spec)``: the component as if a plugin had contributed it; returns its suite."""
    monkeypatch.setattr(registry(), "plugins", [*registry().plugins, PLUGIN])
    built.cache_clear()

    def planted(kind: str, spec: Spec, **attributes: Any) -> Conformance:
        known = getattr(registry(), CATALOGUES[kind])
        monkeypatch.setitem(known._specs, spec.name, stamped := replace(spec, plugin=PLUGIN.source))
        suite = Case(kind, stamped).suite()
        for name, value in attributes.items():
            setattr(type(suite), name, value)
        return suite

    return planted
