"""IGQ-ViT: calibration time, and what instance-aware groups cost in a forward.

    python benchmarks/igqvit.py --threads 1

Calibrates DeiT-T (random weights) on 32 pictures with uniform allocation and prints CPU seconds; then
runs the quantized model (baked weights) and the plain one (timm, fused attention) alternately in one
process, and prints the ratio of the medians.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from harness import Bits, Calibration, Choice, Context, instrument
from harness.engine.allocator import keep_freed_memory
from harness.registry import registry
from harness.torchvision_compat import ensure_torchvision


@dataclass
class Pictures:
    """Random pictures as the samples of a task."""

    tensor: torch.Tensor
    ids: Sequence[str]

    def batches(self, indices: Sequence[int], size: int) -> Iterator[Any]:
        for start in range(0, len(indices), size):
            yield Inputs(self.tensor[list(indices[start:start + size])])


@dataclass
class Inputs:
    inputs: Any
    targets: Any = None


def calibrated(model: torch.nn.Module, bits: str, images: int, groups: int, search: dict[str, Any]
               ) -> tuple[Context, float]:
    """The context with the quantized model, and the CPU seconds of its calibration."""
    known = registry()
    adapters = {spec.attention: known.component(spec) for spec in known.adapters.values()}
    samples = Pictures(torch.randn(images, 3, 224, 224), [str(index) for index in range(images)])
    calibration = Calibration(samples, list(range(images)), lambda net, inputs: net(inputs))
    context = Context(instrument(model, adapters), calibration, Bits.parse(bits), known, _divergence,
                      torch.Generator().manual_seed(0), _silent)
    method = known.create(known.methods, Choice(name="igqvit", options={"g": groups, "search": search}))
    method.place(context)
    start = time.process_time()
    method.calibrate(context)
    return context, time.process_time() - start


def interleaved(runs: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each, measured in turn, two rounds of warming up left out."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(repeats + 2):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if repeat >= 2:
                times[name].append(time.perf_counter() - start)
    return times


def _divergence(reference: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
    expected, given = reference.double().log_softmax(-1), outputs.double().log_softmax(-1)
    return (expected.exp() * (expected - given)).sum(-1).mean()


@contextmanager
def _silent(what: str, total: int) -> Iterator[Callable[[], None]]:
    yield lambda: None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="deit_tiny_patch16_224")
    parser.add_argument("--bits", default="4/4")
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--groups", type=int, default=8)
    parser.add_argument("--alloc", choices=("uniform", "greedy", "ilp"), default="uniform")
    parser.add_argument("--alloc-images", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=15)
    keep_freed_memory()  # as harness run does
    given = parser.parse_args()
    ensure_torchvision()
    import timm

    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    plain, pictures = timm.create_model(given.model).eval(), torch.randn(given.batch, 3, 224, 224)
    context, seconds = calibrated(timm.create_model(given.model).eval(), given.bits, given.images, given.groups,
                                  {"alloc": given.alloc, "images": given.alloc_images})
    where = f"{given.model} {given.bits} g={given.groups} threads {given.threads}"
    print(f"{where}  calibration, {given.images} images, alloc={given.alloc}: {seconds:.1f} CPU s")
    with torch.no_grad(), context.model.baked():
        times = interleaved({"plain": lambda: plain(pictures), "quantized": lambda: context.model(pictures)},
                            given.repeats)
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratio = statistics.median(q / p for q, p in zip(times["quantized"], times["plain"], strict=True))
    print(f"{where}  forward, batch {given.batch}: plain {medians['plain'] * 1e3:.0f} ms, quantized "
          f"{medians['quantized'] * 1e3:.0f} ms, ratio of medians {medians['quantized'] / medians['plain']:.3f}, "
          f"median of paired ratios {ratio:.3f}")


if __name__ == "__main__":
    main()
