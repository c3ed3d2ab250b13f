"""What a quantization-aware training step costs: W4A4 with learned scales against full precision.

    python benchmarks/qat_step.py --model deit_tiny_patch16_224 --batch 16 --threads 1

A step is forward, cross-entropy, backward and AdamW. All sites are quantized: every weight and input, q, k, v and
the attention maps. The ways:

    plain             the model as timm has it
    opened            instrumented, with identity quantizers: what it costs to have the attention map at all
    lsq per tensor    one learned scale a site, as harness.LearnedUniform computes it
    lsq per head      one for each head, where a site has heads
    small operations  per tensor, differentiated by autograd operation by operation

All run alternately in one process, so that a change of the machine's speed meets all. Ratios are medians of the
ratios within a round. ``--cpu-time`` counts the time of the calling thread (with --threads 1, on a busy machine).
Weights and pictures are random: time does not depend on them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from harness import LearnedUniform, ensure_torchvision, instrument, lsq_scale, round_ste, scale_gradient
from harness.engine.allocator import keep_freed_memory
from harness.engine.workspace import adapters
from harness.registry import registry

BITS = 4


class SmallOperations(LearnedUniform):
    """The same quantizer as a graph of small operations."""

    def quantize(self, tensor: Tensor) -> Tensor:
        low, high = self.limits()
        spread = self.partition.spread
        scale = spread(scale_gradient(self.scale.clamp(min=1e-4), self.gradient_factor(tensor, high)))
        return round_ste((tensor / scale).clamp(spread(low), spread(high))) * scale


def quantized(model: nn.Module, pictures: Tensor, granularity: str, kind: type[LearnedUniform]) -> nn.Module:
    """The model with calibrated learned scales on all sites."""
    instrumented = instrument(model, adapters(registry()))
    for path, site in instrumented.sites.items():
        scheme = "unsigned" if site.operand == "attention" else "symmetric"
        instrumented.place(path, kind(site.layout.partition(granularity), BITS, scheme))
    handles = [quantizer.register_forward_pre_hook(_start) for quantizer in instrumented.quantizers.values()]
    with torch.no_grad(), instrumented.full_precision():
        instrumented(pictures)
    for handle in handles:
        handle.remove()
    for operation in instrumented.operations.values():
        if isinstance(getattr(operation, "weight", None), Tensor):
            _start(operation.quantizers["weight"], (operation.weight,))
    return instrumented


def _start(quantizer: nn.Module, inputs: tuple[Tensor]) -> None:
    if isinstance(quantizer, LearnedUniform):
        quantizer.set_scale(lsq_scale(inputs[0], BITS, quantizer.scheme, quantizer.partition))


def training_step(model: nn.Module, pictures: Tensor, classes: Tensor) -> Callable[[], None]:
    """A function that makes one step."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.05)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(pictures), classes).backward()
        optimizer.step()
        if pictures.is_cuda:
            torch.cuda.synchronize()

    return step


def interleaved(steps: dict[str, Callable[[], None]], repeats: int, clock: Callable[[], float]
                ) -> dict[str, list[float]]:
    """Seconds of each step in each round."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for repeat in range(repeats + 2):
        for name, step in steps.items():
            start = clock()
            step()
            if repeat >= 2:  # the first two warm caches, the allocator and what is compiled
                times[name].append(clock() - start)
    return times


def main() -> None:
    """Print times and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="deit_tiny_patch16_224")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--cpu-time", action="store_true")
    given = parser.parse_args()
    ensure_torchvision()
    import timm

    keep_freed_memory()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    pictures = torch.randn(given.batch, 3, 224, 224, device=given.device)
    classes = torch.randint(1000, (given.batch,), device=given.device)

    def model() -> nn.Module:
        return timm.create_model(given.model).train().to(given.device)

    models = {"plain": model(),
              "opened": instrument(model(), adapters(registry())),
              "lsq per tensor": quantized(model(), pictures, "tensor", LearnedUniform),
              "lsq per head": quantized(model(), pictures, "head", LearnedUniform),
              "small operations": quantized(model(), pictures, "tensor", SmallOperations)}
    times = interleaved({name: training_step(each, pictures, classes) for name, each in models.items()}, given.repeats,
                        time.thread_time if given.cpu_time else time.perf_counter)
    print(f"{given.model} batch {given.batch} {given.device} threads {given.threads}: a training step")
    for name, seconds in times.items():
        ratio = statistics.median(own / plain for own, plain in zip(seconds, times["plain"], strict=True))
        print(f"  {name:17} {statistics.median(seconds) * 1e3:8.1f} ms  {ratio:.3f} x plain")
    finer = zip(times["lsq per head"], times["lsq per tensor"], strict=True)
    print(f"  lsq per head is {statistics.median(head / tensor for head, tensor in finer):.3f} x lsq per tensor")


if __name__ == "__main__":
    main()
