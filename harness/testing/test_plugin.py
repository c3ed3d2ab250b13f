"""``pytest --pyargs harness.testing --plugin NAME``: every law of everything that a plugin contributes, a test each."""

from __future__ import annotations

import pytest

from ..errors import HarnessError
from ..registry import registry
from .cases import cases, plugins_of
from .law import Conformance, hints_of
from .pytest_plugin import HINTS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each plugin, and one for each law of each component."""
    named = metafunc.config.getoption("harness_plugins", [])
    if not named:
        raise pytest.UsageError("harness.testing: name what to check, as in --plugin minmax")
    try:
        found, plugins = cases(registry(), named), plugins_of(registry(), named)
    except HarnessError as error:
        raise pytest.UsageError(str(error)) from None
    if "source" in metafunc.fixturenames:
        metafunc.parametrize(("source", "problem"), [(plugin.source, plugin.problem) for plugin in plugins])
    if "law" in metafunc.fixturenames:
        each = [(case.label, case.suite()) for case in found]
        metafunc.parametrize(("label", "suite", "law"), [(label, suite, law) for label, suite in each
                                                         for law in suite.laws()],
                             ids=[f"{label}-{law.removeprefix('test_')}" for label, suite in each
                                  for law in suite.laws()])


def test_the_plugin_can_be_used(source: str, problem: str) -> None:
    """It was loaded, and its hooks are known."""
    assert not problem, f"{source}: {problem}"


def test_law(label: str, suite: Conformance, law: str, request: pytest.FixtureRequest) -> None:
    """One law of one component."""
    if law == list(suite.laws())[-1]:
        request.config.stash.setdefault(HINTS, {})[label] = hints_of(suite)
    getattr(suite, law)()
