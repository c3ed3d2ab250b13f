"""The weights of the small detectors: how they start, what they reach, and the file that says so.

The header of the file is the record of its making, so a file that is copied elsewhere still says where it
comes from, and the README beside it cannot disagree with it.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mmdet
import torch
from mmdet.models.backbones.swin import SwinBlock
from safetensors.torch import load_file, save_file
from torch import nn

from .coco_folder import find_split
from .families import FAMILIES
from .mini_models import weights_path
from .samples import DetectionSamples
from .scene_folder import scene_folder
from .scenes import SPLIT_SIZES, VERSION
from .scorer import AveragePrecisionScorer

BATCH = 20

README_HEAD = """# Weights of the small detectors

Written by `train_mini.py`; do not edit. Each file holds half-precision weights and carries the lines below in its
header. The scenes come from `scenes.py`; nothing is downloaded. The architectures are mmdet's own configurations,
made small in `configs.py`.

Linear layers and position biases of the Swin backbones start with larger values than mmdet's (`initialise` in
`weights_record.py`), because models this narrow otherwise learn nothing for long, and their LayerNorm channels are
made unequal before training (`spread_channels`). The cascade starts from the trained Mask R-CNN. Training times are
wall-clock times on a machine that was busy with other work.
"""


def initialise(detector: Any, start_from: str | None) -> None:
    """Starting values: those of a shipped model where name and shape agree, else wider ones for the backbone."""
    if start_from:
        own = detector.state_dict()
        source = load_file(weights_path(start_from))
        # A cascade's first stage starts where the only stage of the other model ended, and so do the rest.
        named = {**source, **{name.replace("_head.", f"_head.{stage}."): tensor for stage in range(3)
                              for name, tensor in source.items() if "bbox_head." in name or "mask_head." in name}}
        detector.load_state_dict({name: tensor for name, tensor in named.items()
                                  if name in own and own[name].shape == tensor.shape}, strict=False)
        return
    for module in detector.backbone.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=module.in_features ** -0.5)
        table = getattr(module, "relative_position_bias_table", None)
        if isinstance(table, nn.Parameter):
            nn.init.normal_(table, std=1.0)
    for block in detector.backbone.modules():
        if isinstance(block, SwinBlock):
            spread_channels(block.norm1, block.attn.w_msa.qkv)
            spread_channels(block.norm2, block.ffn.layers[0][0])


@torch.no_grad()
def spread_channels(norm: nn.LayerNorm, linear: nn.Linear, sigma: float = 0.4, large: int = 3,
                    factor: float = 4.0) -> None:
    """Make a LayerNorm's channels unequal without changing the function.

    They are multiplied by log-normal factors (standard deviation ``sigma`` of the logarithm), ``large`` of them
    by ``factor`` on top, and the columns of the following linear layer are divided by the same. Long training
    gives published transformers such channels; models without them say little about how methods treat those.
    """
    factors = torch.exp(torch.randn(norm.weight.numel()) * sigma)
    factors[torch.randperm(factors.numel())[:large]] *= factor
    norm.weight.mul_(factors)
    norm.bias.mul_(factors)
    linear.weight.div_(factors)


@torch.no_grad()
def average_precision(detector: nn.Module, model: str, count: int = SPLIT_SIZES["test"]) -> dict[str, float]:
    """AP in percent (``box_ap``, ``mask_ap`` where there are masks) on the first ``count`` test scenes."""
    detector.eval()
    masks = next(family.masks for family in FAMILIES.values() if model in family.mini_models)
    split = find_split(scene_folder(), "val")
    samples = DetectionSamples(split, model, annotated=False)
    scorer = AveragePrecisionScorer(split.content(), ("box", "mask") if masks else ("box",))
    for batch in samples.batches(range(count), BATCH):
        scorer.update(detector(batch.inputs["inputs"], batch.inputs["data_samples"], mode="predict"), batch)
    return {name: value for name, value in scorer.result().metrics.items() if name.endswith("_ap")}


def save(detector: nn.Module, model: str, path: Path, command: str, minutes: float) -> None:
    """Write half-precision weights with the record of their making; a temporary file first, then renamed."""
    with torch.no_grad():  # so that what is measured is what the file holds
        for tensor in (*detector.parameters(), *detector.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(tensor.half())
    reached = average_precision(detector, model)
    figures = ", ".join(f"{name.replace('_ap', ' AP')} {value:.1f}" for name, value in reached.items())
    print(f"{model}: {figures} on {SPLIT_SIZES['test']} test scenes, {minutes:.0f} min")
    record = {
        "command": command,
        "scenes": f"generator version {VERSION}",
        "full-precision figures": f"{figures} on the {SPLIT_SIZES['test']} test scenes",
        "training time": f"{minutes:.0f} min",
        "versions": f"torch {torch.__version__}, mmdet {mmdet.__version__}, Python {platform.python_version()}",
        "machine": f"{platform.machine()} CPU, {torch.get_num_threads()} threads, no GPU",
    }
    tensors = {name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
               for name, tensor in detector.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.part")
    save_file(tensors, temporary, metadata=record)
    temporary.chmod(0o644)  # safetensors lets only its owner read it; an installed package is shared
    os.replace(temporary, path)
    if path == weights_path(model):
        _write_readme(path.parent)


def _record(path: Path) -> Mapping[str, str]:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as opened:
        return dict(opened.metadata() or {})


def _write_readme(folder: Path) -> None:
    parts = [README_HEAD]
    for path in sorted(folder.glob("*.safetensors")):
        lines = [f"- {key}: {f'`{value}`' if key == 'command' else value}"
                 for key, value in sorted(_record(path).items())]
        parts.append(f"\n## {path.name}\n\n" + "\n".join(lines) + "\n")
    temporary = folder / "README.md.part"
    temporary.write_text("".join(parts), encoding="utf-8")
    temporary.replace(folder / "README.md")
