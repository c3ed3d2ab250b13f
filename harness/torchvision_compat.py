"""Importing torchvision where its compiled operators do not fit the installed torch.

A torchvision built for CUDA beside a CPU-only torch, or for another torch version, cannot load its
C extension; ``import torchvision`` then fails with ``operator torchvision::nms does not exist``, and
timm and transformers with it, although neither needs a compiled operator for classification.
:func:`ensure_torchvision` declares those operators without an implementation, so that everything
written in Python works; calling a compiled operator still fails with torchvision's own message.
"""

from __future__ import annotations

import sys

#: The operators that torchvision's import asks for, with the schemas of its C++ sources.
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, "
    "int sampling_ratio, bool aligned) -> Tensor",
)

#: torch removes a library's operators when its object is collected.
_libraries: list[object] = []


def ensure_torchvision() -> None:
    """Make ``import torchvision`` work in this process; call it before timm or transformers are imported.

    Does nothing but import torchvision where that is healthy. Errors of another kind (torchvision is
    not installed, or broken in another way) are raised as they are.
    """
    if "torchvision" in sys.modules:
        return
    try:
        import torchvision
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
        _declare_operators()
        import torchvision  # noqa: F401


def _declare_operators() -> None:
    import torch

    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in _SCHEMAS:
        if not hasattr(torch.ops.torchvision, schema.partition("(")[0]):
            library.define(schema)
    _libraries.append(library)
