"""RoIAlign in plain torch at full size: ratios to other implementations, and its share of an inference.

    python benchmarks/roi_align.py --threads 1

Pools 1000 boxes to 7x7 and 100 boxes to 14x14 on the feature pyramid of an 800x1216 picture, with two
samples an axis and with the adaptive grid that mmdet's models use, and prints the time of torchvision's
Python form (which can do the first only: its adaptive grid covers the whole map for each bin) and of
mmcv's compiled kernel, where there is one, over the time of the harness. Then runs Mask R-CNN Swin-T
(random weights, 1000 proposals, 100 detections with masks) and prints what part of its time each
operator takes. CPU seconds, best of the repeats, all in one run.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from harness_tasks.detection.mmcv_compat import EXTENSION, PlainOperators, ensure_mmcv

HEIGHT, WIDTH, CHANNELS = 800, 1216, 256
STRIDES = (4, 8, 16, 32)
OPERATORS = ("nms", "roi_align_forward")

Level = tuple[Tensor, Tensor, int]
"""Feature map, boxes on it, stride."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="best of (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    ensure_mmcv()
    compiled = sys.modules[EXTENSION]
    plain = PlainOperators("not asked for")
    print(f"{'boxes':>16} {'samples':>9} {'harness ms':>17} {'torchvision':>12} {'compiled':>17}"
          "   (value, gradient; ratios to the harness)")
    for count, size in ((1000, 7), (100, 14)):
        levels = pyramid(count)
        for sampling_ratio in (2, 0):
            own = forward_and_backward(plain, levels, size, sampling_ratio, given.repeats)
            cells = [f"{f'{count} to {size}x{size}':>16}", f"{sampling_ratio or 'adaptive':>9}",
                     "{:8.0f} {:8.0f}".format(*(1000 * value for value in own)), f"{'-':>12}", f"{'-':>17}"]
            if sampling_ratio:
                cells[3] = f"{by_torchvision(levels, size, sampling_ratio) / own[0]:11.1f}x"
            if not isinstance(compiled, PlainOperators):
                other = forward_and_backward(compiled, levels, size, sampling_ratio, given.repeats)
                cells[4] = "{:7.1f}x {:7.1f}x".format(*(b / a for a, b in zip(own, other, strict=True)))
            print(*cells, flush=True)
    for name, operators in {"the harness": plain, "this mmcv": compiled}.items():
        total, parts = inference(operators, given.repeats)
        shares = ", ".join(f"{part} {value:.3f} s ({100 * value / total:.1f}%)" for part, value in parts.items())
        print(f"Mask R-CNN Swin-T with the operators of {name}: {total:.1f} s; {shares}", flush=True)
        if isinstance(compiled, PlainOperators):
            break


def pyramid(count: int) -> list[Level]:
    """Feature maps and boxes of 16 to 800 pixels, each on the level that mmdet's extractor takes for its size."""
    side, stretch = 16 * 50 ** torch.rand(count, 1), 2 ** (torch.rand(count, 1) - 0.5)
    extent = torch.cat([side * stretch, side / stretch], 1)
    border = torch.tensor([WIDTH, HEIGHT])
    low = torch.rand(count, 2) * (border - extent).clamp(min=0)
    boxes = torch.cat([torch.zeros(count, 1), low, torch.minimum(low + extent, border)], 1)
    area = (boxes[:, 3] - boxes[:, 1]) * (boxes[:, 4] - boxes[:, 2])
    level = (area.sqrt() / 56).log2().floor().clamp(0, len(STRIDES) - 1)
    return [(torch.randn(1, CHANNELS, HEIGHT // stride, WIDTH // stride), boxes[level == index], stride)
            for index, stride in enumerate(STRIDES)]


def forward_and_backward(operators: Any, levels: list[Level], size: int, sampling_ratio: int,
                         repeats: int) -> tuple[float, float]:
    """Seconds of the two directions over all levels."""
    none = torch.empty(0)
    pooled = [torch.empty(len(boxes), CHANNELS, size, size) for _, boxes, _ in levels]
    gradients = [torch.zeros_like(features) for features, *_ in levels]

    def forward() -> None:
        for (features, boxes, stride), output in zip(levels, pooled, strict=True):
            operators.roi_align_forward(features, boxes, output, none, none, aligned_height=size, aligned_width=size,
                                        spatial_scale=1 / stride, sampling_ratio=sampling_ratio, pool_mode=1,
                                        aligned=True)

    def backward() -> None:
        for (_, boxes, stride), output, gradient in zip(levels, pooled, gradients, strict=True):
            operators.roi_align_backward(output, boxes, none, none, gradient, aligned_height=size, aligned_width=size,
                                         spatial_scale=1 / stride, sampling_ratio=sampling_ratio, pool_mode=1,
                                         aligned=True)
    return seconds(forward, repeats), seconds(backward, repeats)


def by_torchvision(levels: list[Level], size: int, sampling_ratio: int) -> float:
    """Seconds of torchvision's Python form without torch.compile, 20 boxes at a time for its memory."""
    from torchvision.ops.roi_align import _roi_align

    def forward() -> None:
        for features, boxes, stride in levels:
            for some in boxes.split(20):
                _roi_align.__wrapped__(features, some, 1 / stride, size, size, sampling_ratio, True)
    return seconds(forward, 1)


def inference(operators: Any, repeats: int) -> tuple[float, dict[str, float]]:
    """Seconds of a forward of Mask R-CNN Swin-T with masks of 100 detections, and of its operators in it.

    All boxes of all classes go into the last suppression, as no score is too low; a trained model has far fewer.
    """
    from mmdet.structures import DetDataSample

    from harness_tasks.detection.detectors import build

    spent: dict[str, float] = defaultdict(float)

    def timed(name: str) -> Callable[..., Any]:
        operator = getattr(operators, name)

        def call(*arguments: Any, **options: Any) -> Any:
            start = time.process_time()
            result = operator(*arguments, **options)
            spent[name] += time.process_time() - start
            return result
        return call

    model = build("mask-rcnn_swin-t", 80)
    model.roi_head.test_cfg.score_thr = 0.0  # random weights: else no detection, and no mask
    shape = (HEIGHT, WIDTH)
    sample = DetDataSample(metainfo={"img_shape": shape, "ori_shape": shape, "batch_input_shape": shape,
                                     "pad_shape": shape, "scale_factor": (1.0, 1.0)})
    picture = torch.randn(1, 3, *shape)
    extension = sys.modules[EXTENSION]
    before = {name: getattr(extension, name) for name in OPERATORS}
    measured = []
    try:
        for name in OPERATORS:
            setattr(extension, name, timed(name))
        for _ in range(repeats):
            spent.clear()
            start = time.process_time()
            with torch.no_grad():
                model.predict(picture, [sample])
            measured.append((time.process_time() - start, dict(spent)))
    finally:
        for name, operator in before.items():
            setattr(extension, name, operator)
    return min(measured, key=lambda pair: pair[0])


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Least CPU time of a call, after one to warm up."""
    call()
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    return best


if __name__ == "__main__":
    main()
