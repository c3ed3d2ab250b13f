"""What a record says of the machine."""

from __future__ import annotations

import pytest

from harness.engine.environment import environment, peak_memory, without_folder


@pytest.mark.parametrize(("argument", "recorded"), [
    ("/home/me/imagenet", ".../imagenet"), ("--data=/home/me/imagenet/", "--data=.../imagenet"),
    ("relative/study.toml", "relative/study.toml"), ("4/4,8/8", "4/4,8/8"), ("--set", "--set"),
    ("igqvit.g=12", "igqvit.g=12"), ("--limit=5", "--limit=5")])
def test_private_folders_are_left_out(argument, recorded):
    assert without_folder(argument) == recorded


def test_the_environment_names_versions_and_threads():
    found = environment(["quantization-harness"])
    assert found.threads >= 1
    assert {"torch", "timm", "numpy", "quantization-harness"} <= set(found.packages)
    assert found.isa
    assert peak_memory() > 10**7
