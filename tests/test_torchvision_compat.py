"""torchvision can be imported beside any torch; each case in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def run(code: str, package: Path | None = None) -> subprocess.CompletedProcess[str]:
    path = f"import sys; sys.path.insert(0, {str(package)!r})\n" if package else ""
    command = [sys.executable, "-W", "error", "-c", path + code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def fake_torchvision(folder: Path, source: str) -> Path:
    (folder / "torchvision").mkdir()
    (folder / "torchvision" / "__init__.py").write_text(source)
    return folder


ENSURE = "from harness import ensure_torchvision; ensure_torchvision(); ensure_torchvision()\n"


def test_the_installed_one_can_be_imported_and_transforms_work() -> None:
    result = run(ENSURE + "import torch, torchvision.ops, torchvision.transforms\n"
                 "crop = torchvision.transforms.CenterCrop(2)(torch.ones(1, 8, 8))\n"
                 "assert torch.equal(crop, torch.ones(1, 2, 2))")
    assert result.returncode == 0, result.stderr


def test_silent_where_torchvision_is_healthy(tmp_path: Path) -> None:
    package = fake_torchvision(tmp_path, "")
    result = run(ENSURE + "import torch\n"
                 "from harness import torchvision_compat\n"
                 "assert not torchvision_compat._libraries\n"
                 "assert not hasattr(torch.ops.torchvision, 'nms')", package)
    assert result.returncode == 0, result.stderr
    assert not result.stdout + result.stderr


def test_missing_operators_are_declared_and_stale_modules_dropped(tmp_path: Path) -> None:
    package = fake_torchvision(tmp_path, (
        "import torch\n"
        "from . import extension\n"
        "if not hasattr(torch.ops.torchvision, 'nms'):\n"
        "    extension.stale = True\n"
        "    raise RuntimeError('operator torchvision::nms does not exist')\n"
        "fresh = not hasattr(extension, 'stale')\n"))
    (package / "torchvision" / "extension.py").write_text("")
    result = run(ENSURE + "import torch, torchvision\n"
                 "assert torchvision.fresh\n"
                 "assert all(hasattr(torch.ops.torchvision, name) for name in ('nms', 'qnms', 'roi_align'))", package)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(("source", "message"), [
    ("raise RuntimeError('CUDA is from Mars')", "CUDA is from Mars"),
    ("raise ImportError('no library')", "no library"),
])
def test_other_faults_are_not_hidden(tmp_path: Path, source: str, message: str) -> None:
    result = run(ENSURE, fake_torchvision(tmp_path, source))
    assert result.returncode != 0
    assert message in result.stderr
