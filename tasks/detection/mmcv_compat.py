"""mmdet without a compiled mmcv.

mmcv's C++ operators take long to compile, and there are no wheels of them for current torch versions.
``mmcv-lite`` comes without them, and with it ``import mmdet.models`` fails: ``No module named 'mmcv._ext'``.
Mask R-CNN, Cascade Mask R-CNN and DETR call three of them, to predict and to train;
:func:`ensure_mmcv` supplies these in plain torch.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from harness import HarnessError, ensure_torchvision

from .nms import nms
from .roi_align import roi_align_backward, roi_align_forward

#: mmcv's extension module, which `mmcv.ops` asks for all of its operators.
EXTENSION = "mmcv._ext"
INSTALL = "pip install 'quantization-harness[detection]'"

#: What mmengine's and mmcv's own modules warn of when they are imported.
_NOISE: tuple[tuple[str, type[Warning]], ...] = (
    (r"`torch\.jit\.\w+` is deprecated", DeprecationWarning),
    ("``MultiScaleDeformableAttention`` has been moved", ImportWarning),
)


def ensure_mmcv() -> None:
    """Make mmcv, mmengine and mmdet importable in this process; call it before anything of theirs is imported.

    Where mmcv's compiled operators can be loaded they are used. Else the operators of
    :class:`PlainOperators` take their place. Calling it again does nothing.

    Raises:
        HarnessError: one of them, or faster-coco-eval, is not installed, or their versions do not fit each other.
    """
    ensure_torchvision()
    for package in ("mmengine", "mmcv", "mmdet", "faster_coco_eval"):
        if find_spec(package) is None:
            raise HarnessError(f"detection needs {package}, which is not installed", INSTALL)
    try:
        import_module(EXTENSION)
    except ImportError as error:
        operators = sys.modules[EXTENSION] = PlainOperators(str(error))
        import_module("mmcv")._ext = operators  # type: ignore[attr-defined]
    _import_quietly()


class PlainOperators(ModuleType):
    """Stands in for ``mmcv._ext``: ``nms`` and ``roi_align`` in plain torch, and an error for any other operator."""

    nms = staticmethod(nms)
    roi_align_forward = staticmethod(roi_align_forward)
    roi_align_backward = staticmethod(roi_align_backward)

    def __init__(self, reason: str) -> None:
        """``reason`` is why the compiled operators could not be loaded."""
        super().__init__(EXTENSION, self.__doc__)
        # Without a loader: mmcv takes that as "operators are not compiled".
        self.__spec__ = ModuleSpec(EXTENSION, None)
        self._reason = reason

    def __getattr__(self, operator: str) -> Callable[..., Any]:
        if operator.startswith("__"):
            raise AttributeError(f"module {EXTENSION!r} has no attribute {operator!r}")

        def missing(*_: Any, **__: Any) -> Any:
            raise HarnessError(f"mmcv's operator {operator!r} needs a compiled mmcv ({self._reason})",
                               "Install compiled mmcv 2.1.0 in the place of mmcv-lite, or choose another model")
        return missing


def _import_quietly() -> None:
    """Imports the modules that warn, so that what is imported after them is silent even with warnings as errors."""
    with warnings.catch_warnings():
        for message, category in _NOISE:
            warnings.filterwarnings("ignore", message, category)
        import_module("mmengine.optim")
        import_module("mmcv.cnn.bricks.transformer")
    try:
        import_module("mmdet")
    except AssertionError as error:  # mmdet's check of the versions of mmcv and mmengine
        raise HarnessError(str(error), INSTALL) from error
