"""What quantizers cost: a static 8/8 forward with baked weights against the plain model's.

    python benchmarks/forward.py --model deit_tiny_patch16_224 --batch 8 --threads 1

Every weight has a channel-wise and every activation a tensor-wise uniform quantizer. Both models run
alternately in one process, so that a change of the machine's speed meets both; the ratio is that of
the medians. ``--cpu-time`` counts the time of the calling thread (with --threads 1, on a busy machine).
Weights are random: time does not depend on them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from harness import AttentionTwin, InstrumentedModel, Uniform, ensure_torchvision, instrument
from harness.engine.allocator import keep_freed_memory
from harness.registry import registry


def attention_adapters() -> dict[str, Callable[[torch.nn.Module], AttentionTwin]]:
    """Attention class -> function that makes its twin, of all installed plugins."""
    known = registry()
    return {spec.attention: known.component(spec) for spec in known.adapters.values()}


def quantized(name: str, picture: torch.Tensor) -> InstrumentedModel:
    """The model with calibrated 8-bit quantizers on all sites."""
    import timm

    model = instrument(timm.create_model(name).eval(), attention_adapters())
    for path, site in model.sites.items():
        weight = site.is_weight
        partition = site.layout.partition("channel" if weight else "tensor")
        model.place(path, Uniform(partition, 8, "symmetric" if weight else "asymmetric"))
    handles = [quantizer.register_forward_pre_hook(_set_range) for quantizer in model.quantizers.values()]
    with torch.no_grad(), model.full_precision():
        model(picture)
    for handle in handles:
        handle.remove()
    return model


def _set_range(quantizer: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
    if isinstance(quantizer, Uniform):
        reduce = quantizer.partition.reduce
        quantizer.set_range(reduce(inputs[0], "amin"), reduce(inputs[0], "amax"))


def interleaved(runs: dict[str, Callable[[], object]], repeats: int, clock: Callable[[], float]) -> dict[str, float]:
    """Median seconds of each, measured in turn."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(repeats + 2):
        for name, run in runs.items():
            start = clock()
            run()
            if repeat >= 2:  # the first two warm caches and the allocator
                times[name].append(clock() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="deit_tiny_patch16_224")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--cpu-time", action="store_true")
    given = parser.parse_args()
    ensure_torchvision()
    import timm

    keep_freed_memory()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    pictures = torch.randn(given.batch, 3, 224, 224)
    plain, model = timm.create_model(given.model).eval(), quantized(given.model, pictures[:1])
    opened = instrument(timm.create_model(given.model).eval(), attention_adapters())
    with torch.no_grad(), model.baked():
        seconds = interleaved({"plain": lambda: plain(pictures), "identity": lambda: opened(pictures),
                               "static 8/8": lambda: model(pictures)}, given.repeats,
                              time.thread_time if given.cpu_time else time.perf_counter)
    for name, value in seconds.items():
        print(f"{given.model} batch {given.batch} threads {given.threads}  {name:10}  {value * 1e3:8.1f} ms"
              f"  {value / seconds['plain']:.3f} x plain")


if __name__ == "__main__":
    main()
