"""mmdet is an extra: nothing else imports it, and where it is missing only detection says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RUN = """
import sys
sys.modules.update(dict.fromkeys({missing!r}))  # as if they were not installed
from harness.cli import main
try:
    main()
finally:
    print("LOADED", sorted(name for name in ("mmdet", "mmcv", "mmengine") if sys.modules.get(name)))
"""
DETECTION = ("mmdet", "mmcv", "mmengine", "faster_coco_eval", "pycocotools")


def harness(*arguments: str, without: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", RUN.format(missing=without), *arguments], capture_output=True,
                          text=True, check=False, timeout=300)


def test_classification_neither_needs_nor_imports_it(tmp_path: Path) -> None:
    arguments = ("run", "--methods", "minmax", "--task", "imagenet", "--limit", "8", "--calibration", "8",
                 "--results", str(tmp_path))
    done = harness(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "LOADED []" in done.stdout
    missing = harness(*arguments[:-1], str(tmp_path / "again"), without=DETECTION)
    assert missing.returncode == 0, missing.stdout + missing.stderr


@pytest.mark.parametrize("without", [DETECTION, ("faster_coco_eval",)], ids=["all", "faster-coco-eval"])
def test_detection_names_what_to_install(tmp_path: Path, without: tuple[str, ...]) -> None:
    listed = harness("list", "tasks", without=without)
    assert "coco-detr" in listed.stdout
    done = harness("run", "--methods", "minmax", "--task", "coco-detr", "--weights", "random", "--limit", "1",
                   "--calibration", "1", "--results", str(tmp_path), without=without)
    said = " ".join((done.stdout + done.stderr).split())
    assert "pip install 'quantization-harness[detection]'" in said
    assert "Traceback" not in said
    assert done.returncode == 2
