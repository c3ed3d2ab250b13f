"""A benchmark harness for transformer quantization: one fair comparison of published methods.

This module is the whole public API; plugins need nothing else. Names that need torch are imported
when they are first used, so that ``import harness`` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .allocation.options import AllocationOptions, SupernetOptions
from .api import API_VERSION
from .data.caches import cache_folder, digest, file_hash
from .data.scale import chosen_scale, data_folder
from .data.weights import Weights, asked_weights, file_weights, shipped_weights
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
from .options import ADDED_LATER, Choice, Options
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
    SuiteSpec,
    TaskSpec,
)
from .training.budget import Budget
from .training.options import LossOptions, TrainedOptions, TrainingOptions
from .training.role_options import RoleOptions

if TYPE_CHECKING:
    from .allocation.knapsack import least_sum_within
    from .allocation.mixture import BitMixture, expected_bits
    from .allocation.search import AllocationSearch
    from .allocation.space import BitSpace, bit_operations, weight_bytes
    from .allocation.supernet import train_supernet
    from .checkpoints import fit_weights, load_weights, read_weights
    from .cost.operations import Operand, Operation, trace
    from .data.drawing import Drawing, Ink
    from .data.glyphs import Glyphs, random_words, split_glyphs
    from .engine.calibration import Calibration
    from .method import Batch, Context, Method, Samples, Scorer, Scores, Search, Task
    from .model.attention import AttentionTwin, QuantizableAttention
    from .model.instrument import InstrumentedModel, instrument
    from .model.partition import Partition
    from .model.site import HeadSplit, Layout, Site
    from .observers.histogram import Elements, Histogram
    from .observers.learned_scale import Initialisable, initial_scale
    from .observers.order import forward_order
    from .observers.percentile import MovingPercentile
    from .observers.ranges import MinMax, MovingMinMax, RangeObserver
    from .observers.rows import RowSample, input_rows, quantize_rows, weight_rows
    from .observers.search import RangeSearch, finite_weight, set_range, uniform_quantizers
    from .observers.squared_error import best_range, range_errors
    from .quantizers.base import Identity, Quantizer
    from .quantizers.fused import fake_quantize
    from .quantizers.initial import gaussian_scale, lsq_scale, mse_scale
    from .quantizers.learned import LearnedUniform
    from .quantizers.rounding import round_ste, scale_gradient
    from .quantizers.uniform import Uniform, affine_parameters, integer_limits
    from .ranking import hinge_ranking_loss
    from .recipe import PostTraining, QuantizationAware
    from .torchvision_compat import ensure_torchvision
    from .training.by_role import ByRole
    from .training.loss import Loss, Monitor, Seen, Step
    from .training.stage import Group, Stage
    from .training.trainer import Trainer
    from .training.views import TrainingSamples, Unaugmented, View

#: Public names that need torch (those of ``data`` only numpy) -> the module that has them.
_LAZY = {
    **dict.fromkeys(("Batch", "Context", "Method", "Samples", "Scorer", "Scores", "Search",
                     "Task"), "method"),
    "ensure_torchvision": "torchvision_compat",
    "least_sum_within": "allocation.knapsack",
    **dict.fromkeys(("BitMixture", "expected_bits"), "allocation.mixture"),
    "AllocationSearch": "allocation.search",
    **dict.fromkeys(("BitSpace", "bit_operations", "weight_bytes"), "allocation.space"),
    "train_supernet": "allocation.supernet",
    **dict.fromkeys(("fit_weights", "load_weights", "read_weights"), "checkpoints"),
    **dict.fromkeys(("Operand", "Operation", "trace"), "cost.operations"),
    **dict.fromkeys(("Drawing", "Ink"), "data.drawing"),
    **dict.fromkeys(("Glyphs", "random_words", "split_glyphs"), "data.glyphs"),
    "Calibration": "engine.calibration",
    **dict.fromkeys(("AttentionTwin", "QuantizableAttention"), "model.attention"),
    **dict.fromkeys(("InstrumentedModel", "instrument"), "model.instrument"),
    "hinge_ranking_loss": "ranking",
    **dict.fromkeys(("PostTraining", "QuantizationAware"), "recipe"),
    "Partition": "model.partition",
    **dict.fromkeys(("HeadSplit", "Layout", "Site"), "model.site"),
    **dict.fromkeys(("Elements", "Histogram"), "observers.histogram"),
    **dict.fromkeys(("Initialisable", "initial_scale"), "observers.learned_scale"),
    "forward_order": "observers.order",
    "MovingPercentile": "observers.percentile",
    **dict.fromkeys(("MinMax", "MovingMinMax", "RangeObserver"), "observers.ranges"),
    **dict.fromkeys(("RowSample", "input_rows", "quantize_rows", "weight_rows"), "observers.rows"),
    **dict.fromkeys(("RangeSearch", "finite_weight", "set_range", "uniform_quantizers"), "observers.search"),
    **dict.fromkeys(("best_range", "range_errors"), "observers.squared_error"),
    **dict.fromkeys(("Identity", "Quantizer"), "quantizers.base"),
    "fake_quantize": "quantizers.fused",
    **dict.fromkeys(("gaussian_scale", "lsq_scale", "mse_scale"), "quantizers.initial"),
    "LearnedUniform": "quantizers.learned",
    **dict.fromkeys(("round_ste", "scale_gradient"), "quantizers.rounding"),
    **dict.fromkeys(("Uniform", "affine_parameters", "integer_limits"), "quantizers.uniform"),
    "ByRole": "training.by_role",
    **dict.fromkeys(("Loss", "Monitor", "Seen", "Step"), "training.loss"),
    **dict.fromkeys(("Group", "Stage"), "training.stage"),
    "Trainer": "training.trainer",
    **dict.fromkeys(("TrainingSamples", "Unaugmented", "View"), "training.views"),
}

__version__ = "0.1.0"
__all__ = [
    "ADDED_LATER", "API_VERSION", "AdapterSpec", "AllocationOptions", "AllocationSearch", "AttentionTwin", "Batch",
    "BitMixture", "BitRange", "BitSpace", "Bits", "Budget", "ByRole", "Calibration", "Choice", "Context", "CostSpec",
    "DataError", "Drawing", "Elements", "Glyphs", "Group", "HarnessError", "HeadSplit", "Histogram", "Identity",
    "Initialisable", "Ink", "InstrumentedModel", "Layout", "LearnedUniform", "Loss", "LossOptions", "LossSpec",
    "Method", "MethodSpec", "MinMax", "Monitor", "MovingMinMax", "MovingPercentile", "Operand", "Operation",
    "OptionError", "Options", "Paper", "Partition", "PlacementOptions", "PluginError", "PostTraining",
    "QuantizableAttention", "QuantizationAware", "QuantizationError", "Quantizer", "QuantizerSpec", "RangeObserver",
    "RangeSearch", "Resolved", "RoleOptions", "RowSample", "Samples", "Scorer", "Scores", "Search", "SearchSpec",
    "Seen", "Site", "Stage", "Step", "StoreError", "SuiteSpec", "SupernetOptions", "Task", "TaskRequest", "TaskSpec",
    "TrainedOptions", "Trainer", "TrainingOptions", "TrainingSamples", "Unaugmented", "Uniform", "UnknownNameError",
    "View", "Weights", "affine_parameters", "asked_weights", "best_range", "bit_operations", "cache_folder",
    "chosen_scale", "data_folder", "digest", "ensure_torchvision", "expected_bits", "fake_quantize", "file_hash",
    "file_weights", "finite_weight", "fit_weights", "forward_order", "gaussian_scale", "hinge_ranking_loss", "hookimpl",
    "initial_scale", "input_rows", "instrument", "integer_limits", "least_sum_within", "load_weights", "lsq_scale",
    "mse_scale", "quantize_rows", "random_words", "range_errors", "read_weights", "round_ste", "scale_gradient",
    "set_range", "shipped_weights", "split_glyphs", "trace", "train_supernet", "uniform_quantizers", "weight_bytes",
    "weight_rows",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
