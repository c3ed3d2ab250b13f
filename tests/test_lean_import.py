"""Listing, help and planning need no torch, and start fast."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

HEAVY = ("torch", "timm", "torchvision", "scipy", "pandas", "sklearn", "pyarrow", "transformers", "matplotlib",
         "altair", "vl_convert", "jinja2")
COMMANDS = {
    "help": ("--help",),
    "list methods": ("list", "methods"),
    "list tasks": ("list", "tasks"),
    "show minmax": ("show", "minmax"),
    "plot list": ("plot", "--list"),
    "plan": ("plan", "--methods", "minmax", "--task", "imagenet", "--scale", "mini", "--bits", "4/4,8/8"),
}
#: Seconds; about three times what is measured.
LIMIT = 1.0
RUN = """
import sys
from harness.cli import main
sys.argv = ["harness", *{arguments!r}]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
loaded = [name for name in {heavy!r} if name in sys.modules]
assert not loaded, loaded
"""


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("code", [
    "import harness",
    "from harness.registry import registry; assert registry().methods; assert not registry().problems"],
    ids=["import", "registry"])
def test_importing_needs_no_torch(code: str) -> None:
    done = _python(f"import sys\n{code}\nloaded = set({HEAVY!r}) & set(sys.modules)\nassert not loaded, loaded")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("names", "light"), [
    ("Weights, asked_weights, cache_folder, chosen_scale, data_folder, digest, file_hash", (*HEAVY, "numpy", "PIL")),
    ("Drawing, Glyphs, Ink, random_words, split_glyphs", HEAVY)])
def test_what_tasks_resolve_and_draw_with_is_light(names: str, light: tuple[str, ...]) -> None:
    done = _python(f"import sys\nfrom harness import {names}\nloaded = set({light!r}) & set(sys.modules)\n"
                   "assert not loaded, loaded")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_need_no_torch(command: str) -> None:
    done = _python(RUN.format(arguments=COMMANDS[command], heavy=HEAVY))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("command", ["help", "list methods"])
def test_commands_start_fast(command: str) -> None:
    """Processor time, the best of several: neither a busy machine nor a cold disk fails it."""
    best = float("inf")
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", "from harness.cli import main; main()", *COMMANDS[command]],
                       capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert best < LIMIT, "find the slow import with: python -X importtime -c 'import harness.cli'"
