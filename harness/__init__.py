"""A benchmark harness for transformer quantization: one fair comparison of published methods.

This module is the whole public API; plugins need nothing else. Names that need torch are imported
when they are first used, so that ``import harness`` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    DataError,
    HarnessError,
    OptionError,
    PluginError,
    QuantizationError,
    StoreError,
    UnknownNameError,
)
from .hookspecs import hookimpl
from .options import Choice, Options
from .placement import PlacementOptions
from .request import Bits, Resolved, TaskRequest
from .specs import (
    AdapterSpec,
    BitRange,
    CostSpec,
    LossSpec,
    MethodSpec,
    Paper,
    QuantizerSpec,
    SearchSpec,
    TaskSpec,
)

if TYPE_CHECKING:
    from .cost.operations import Operand, Operation, trace
    from .engine.calibration import Calibration, Spool
    from .method import Batch, Context, Method, Samples, Scorer, Scores, Search, Task
    from .model.attention import AttentionTwin, QuantizableAttention
    from .model.instrument import InstrumentedModel, instrument
    from .model.partition import Partition
    from .model.site import HeadSplit, Layout, Site
    from .quantizers.base import Identity, Quantizer
    from .quantizers.rounding import round_ste, scale_gradient
    from .quantizers.uniform import Uniform, affine_parameters, integer_limits
    from .recipe import PostTraining

#: Public names that need torch -> the module that has them.
_LAZY = {
    **dict.fromkeys(("Batch", "Context", "Method", "Samples", "Scorer", "Scores", "Search",
                     "Task"), "method"),
    **dict.fromkeys(("Operand", "Operation", "trace"), "cost.operations"),
    **dict.fromkeys(("Calibration", "Spool"), "engine.calibration"),
    **dict.fromkeys(("AttentionTwin", "QuantizableAttention"), "model.attention"),
    **dict.fromkeys(("InstrumentedModel", "instrument"), "model.instrument"),
    "PostTraining": "recipe",
    "Partition": "model.partition",
    **dict.fromkeys(("HeadSplit", "Layout", "Site"), "model.site"),
    **dict.fromkeys(("Identity", "Quantizer"), "quantizers.base"),
    **dict.fromkeys(("round_ste", "scale_gradient"), "quantizers.rounding"),
    **dict.fromkeys(("Uniform", "affine_parameters", "integer_limits"), "quantizers.uniform"),
}

__version__ = "0.1.0"
__all__ = [
    "AdapterSpec", "AttentionTwin", "Batch", "BitRange", "Bits", "Calibration", "Choice", "Context",
    "CostSpec", "DataError", "HarnessError", "HeadSplit", "Identity", "InstrumentedModel", "Layout",
    "LossSpec", "Method", "MethodSpec", "Operand", "Operation", "OptionError", "Options", "Paper",
    "Partition", "PlacementOptions", "PluginError", "PostTraining", "QuantizableAttention",
    "QuantizationError", "Quantizer", "QuantizerSpec", "Resolved", "Samples", "Scorer", "Scores", "Search",
    "SearchSpec", "Site", "Spool", "StoreError", "Task", "TaskRequest", "TaskSpec", "Uniform",
    "UnknownNameError", "affine_parameters", "hookimpl", "instrument", "integer_limits", "round_ste",
    "scale_gradient", "trace",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
