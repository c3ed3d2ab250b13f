"""Trains one small detector on the scenes of digits and writes its weights.

Run it with ``python -m harness_tasks.detection.train_mini --model mask_rcnn_mini``. It needs no download and no
GPU. The same arguments on the same machine and library versions give the same weights; other machines round
differently and give slightly different ones.
"""

from __future__ import annotations

import argparse
import math
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .backbone_start import train_backbone
from .detectors import build, preprocessor
from .mini_models import MINI_MODELS, weights_path
from .mmcv_compat import ensure_mmcv
from .scenes import CLASSES, IMAGE_SIZE, Instance, generate
from .weights_record import average_precision, initialise, save

ensure_mmcv()

from mmdet.structures import DetDataSample  # noqa: E402 - mmdet imports mmcv's operators
from mmdet.structures.mask import BitmapMasks  # noqa: E402
from mmengine.structures import InstanceData  # noqa: E402

PROGRESS_SCENES = 100
"""Test scenes in the lines of progress. They choose nothing: the last weights are kept."""


def targets(instances: list[Instance]) -> DetDataSample:
    """The ground truth of one scene, as mmdet's losses take it."""
    shape = (IMAGE_SIZE, IMAGE_SIZE)
    sample = DetDataSample(metainfo={"img_shape": shape, "ori_shape": shape, "pad_shape": shape,
                                     "batch_input_shape": shape, "scale_factor": (1.0, 1.0)})
    corners = [(left, top, left + width, top + height) for left, top, width, height in (i.box for i in instances)]
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor(corners, dtype=torch.float32).reshape(-1, 4),
        labels=torch.tensor([instance.label for instance in instances], dtype=torch.int64),
        masks=BitmapMasks(np.array([i.picture_mask() for i in instances], dtype=np.uint8).reshape(-1, *shape), *shape))
    return sample


def batches(images: np.ndarray, instances: list[list[Instance]], size: int, steps: int,
            seed: int) -> Iterator[tuple[Tensor, list[DetDataSample]]]:
    """``steps`` batches: uint8 pictures (size, 3, 128, 128) in BGR as mmdet loads them, and their targets."""
    random = np.random.default_rng(seed)
    order: list[int] = []
    for _ in range(steps):
        if len(order) < size:
            order = random.permutation(len(images)).tolist()
        chosen, order = order[:size], order[size:]
        pictures = np.ascontiguousarray(images[chosen][..., ::-1].transpose(0, 3, 1, 2))
        yield torch.from_numpy(pictures), [targets(instances[index]) for index in chosen]


def train(model: Any, arguments: argparse.Namespace) -> None:
    """Train in place with AdamW, linear warm-up and cosine decay."""
    began = time.perf_counter()
    images, instances = generate("train", 0, arguments.scenes)
    print(f"{arguments.scenes:,} scenes drawn in {time.perf_counter() - began:.0f} s", flush=True)
    prepare = preprocessor(arguments.model)
    if arguments.backbone_steps:
        stream = batches(images, instances, arguments.batch_size, arguments.backbone_steps + 1, arguments.seed + 1)
        prepared = (prepare({"inputs": list(pictures), "data_samples": samples}) for pictures, samples in stream)
        train_backbone(model.backbone, ((data["inputs"], data["data_samples"]) for data in prepared),
                       arguments.backbone_steps, len(CLASSES), learning_rate=1e-3)
    decayed = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": arguments.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=arguments.learning_rate, fused=True)
    warm_up = max(1, arguments.steps // 20)

    def rate(step: int) -> float:
        if step < warm_up:
            return (step + 1) / warm_up
        return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * (step - warm_up) / (arguments.steps - warm_up)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    losses: list[float] = []
    stream = batches(images, instances, arguments.batch_size, arguments.steps, arguments.seed)
    for step, (pictures, samples) in enumerate(stream, start=1):
        model.train()
        data = prepare({"inputs": list(pictures), "data_samples": samples})
        loss, _ = model.parse_losses(model(data["inputs"], data["data_samples"], mode="loss"))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), arguments.clip)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % arguments.report_every == 0:
            progress = average_precision(model, arguments.model, PROGRESS_SCENES)
            figures = "  ".join(f"{name} {value:.1f}" for name, value in progress.items())
            print(f"step {step:6,}/{arguments.steps:,}  train loss {np.mean(losses):.3f}  {figures}  "
                  f"{time.perf_counter() - began:.0f} s", flush=True)
            losses.clear()


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--model", required=True, choices=sorted(MINI_MODELS))
    parser.add_argument("--steps", type=int, default=8_000)
    parser.add_argument("--scenes", type=int, default=20_000, help="of the train split")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=5e-4, help="peak learning rate")
    parser.add_argument("--weight-decay", type=float, default=0.02, help="of weight matrices only")
    parser.add_argument("--clip", type=float, default=1.0, help="largest norm of the gradient")
    parser.add_argument("--start-from", choices=sorted(MINI_MODELS), help="shipped model whose parts are taken over")
    parser.add_argument("--backbone-steps", type=int, default=0,
                        help="steps of the backbone alone before, see backbone_start.py")
    parser.add_argument("--report-every", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="torch threads")
    parser.add_argument("--output", type=Path, help="weights file, if not the one that ships")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    """Train, save, measure the saved weights, and record how they were made."""
    arguments = parse_arguments(words)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    model = build(arguments.model, len(CLASSES), arguments.seed)
    initialise(model, arguments.start_from)
    began = time.perf_counter()
    train(model, arguments)
    minutes = (time.perf_counter() - began) / 60.0
    options = shlex.join(sys.argv[1:] if words is None else words)
    command = f"python -m harness_tasks.detection.train_mini {options}"
    save(model, arguments.model, arguments.output or weights_path(arguments.model), command, minutes)


if __name__ == "__main__":
    main()
