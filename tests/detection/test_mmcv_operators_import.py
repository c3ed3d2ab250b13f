"""mmdet can be imported with and without a compiled mmcv, and ``ensure_mmcv`` says what is missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import invalidate_caches
from pathlib import Path
from types import ModuleType

import pytest
import torch

from harness import HarnessError
from harness_tasks.detection.mmcv_compat import EXTENSION, PlainOperators, ensure_mmcv

ensure_mmcv()
import mmcv  # noqa: E402
import mmcv.ops  # noqa: E402
import mmdet  # noqa: E402, F401

Extension = Callable[[str], ModuleType]


def test_everything_imports_silently_with_warnings_as_errors() -> None:
    code = ("import sys\n"
            "from harness_tasks.detection.mmcv_compat import EXTENSION, ensure_mmcv\n"
            "ensure_mmcv()\n"
            "first = sys.modules[EXTENSION]\n"
            "ensure_mmcv()\n"
            "assert sys.modules[EXTENSION] is first\n"
            "import mmcv._ext, mmdet.datasets, mmdet.evaluation, mmdet.models, mmengine.runner\n"
            "assert mmcv._ext is first\n")
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert not result.stdout + result.stderr


@pytest.fixture
def with_extension(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Extension:
    """What a first ``ensure_mmcv()`` makes of an mmcv whose extension module has this source."""
    def ensure(source: str) -> ModuleType:
        (tmp_path / "_ext.py").write_text(source)
        invalidate_caches()
        ensure_mmcv()
        return sys.modules[EXTENSION]

    monkeypatch.setattr(mmcv, "__path__", [str(tmp_path)])
    monkeypatch.setattr(mmcv, "_ext", None)
    monkeypatch.delitem(sys.modules, EXTENSION)
    return ensure


def test_compiled_operators_are_used_where_they_are(with_extension: Extension) -> None:
    extension = with_extension("def nms(): return 'compiled'")
    assert extension is mmcv._ext
    assert extension.nms() == "compiled"


def test_compiled_operators_for_another_torch_are_replaced_and_the_reason_is_kept(with_extension: Extension) -> None:
    extension = with_extension("raise ImportError('undefined symbol: _ZN2at')")
    assert extension is mmcv._ext
    assert isinstance(extension, PlainOperators)
    with pytest.raises(HarnessError, match=r"'softnms' needs a compiled mmcv \(undefined symbol"):
        extension.softnms()


def test_other_faults_of_the_extension_are_not_hidden(with_extension: Extension) -> None:
    with pytest.raises(RuntimeError, match="CUDA is from Mars"):
        with_extension("raise RuntimeError('CUDA is from Mars')")


def test_any_other_operator_is_an_error_that_names_it() -> None:
    stand_in = PlainOperators("No module named 'mmcv._ext'")
    with pytest.raises(HarnessError, match="'sigmoid_focal_loss_forward' needs a compiled mmcv") as caught:
        stand_in.sigmoid_focal_loss_forward(torch.ones(2), gamma=2.0)
    assert "mmcv 2.1.0" in caught.value.remedy
    with pytest.raises(AttributeError, match="__wrapped__"):
        _ = stand_in.__wrapped__


@pytest.mark.skipif(not isinstance(sys.modules[EXTENSION], PlainOperators), reason="this mmcv has every operator")
def test_that_error_comes_when_mmcv_calls_the_operator() -> None:
    with pytest.raises(HarnessError, match="'softnms' needs a compiled mmcv"):
        mmcv.ops.soft_nms(torch.rand(3, 4), torch.rand(3))


@pytest.mark.parametrize("package", ["mmengine", "mmcv", "mmdet"])
def test_a_missing_package_names_the_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(HarnessError, match=f"needs {package}, which is not installed") as caught:
        ensure_mmcv()
    assert caught.value.remedy == "pip install 'quantization-harness[detection]'"


def test_versions_that_do_not_fit_are_said_in_mmdets_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mmdet").mkdir()
    (tmp_path / "mmdet" / "__init__.py").write_text("assert False, 'MMCV==2.2.0 is used but incompatible.'")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mmdet")
    with pytest.raises(HarnessError, match=r"2\.2\.0 is used but incompatible") as caught:
        ensure_mmcv()
    assert "[detection]" in caught.value.remedy
