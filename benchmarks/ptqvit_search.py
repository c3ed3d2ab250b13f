"""How much faster VT-PTQ's interval search is than the plain loop that runs the layer again for every candidate.

Prints ratios from one run on one machine: the weight search and the input search of one layer, and a whole
calibration of a ViT with random weights. The plain loop quantizes the operand, computes the layer in
float32, and takes the pooled Pearson similarity of the outputs (for attention scores also the ranking loss of
the same drawn rows), once for every candidate. For the whole calibration its time is *estimated*: some
candidates of every operation are timed on all images, and multiplied by the number that the search compared.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness import Bits, Calibration, Choice, Context, MinMax, ensure_torchvision, instrument
from harness.registry import registry
from harness_plugins.ptqvit import alternating
from harness_plugins.ptqvit.inputs import Inputs
from harness_plugins.ptqvit.layer import Layer
from harness_plugins.ptqvit.product import Product
from harness_plugins.ptqvit.race import race
from harness_plugins.ptqvit.ranked import Ranking
from harness_plugins.ptqvit.rounds import State, alternate
from harness_plugins.ptqvit.similarity import losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="deit_tiny_patch16_224", help="a timm ViT (default: %(default)s)")
    parser.add_argument("--layer-images", type=int, default=64, help="images for the single layer (default: 64)")
    parser.add_argument("--images", type=int, default=128, help="images for the whole calibration (default: 128)")
    parser.add_argument("--depth", type=int, help="blocks of the whole model (default: all)")
    parser.add_argument("--candidates", type=int, default=100)
    parser.add_argument("--plain-candidates", type=int, default=2, help="timed for each operation (default: 2)")
    parser.add_argument("--race", type=float, default=6.0, help="as the option of the search (default: 6)")
    parser.add_argument("--bits", type=int, default=6)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    ensure_torchvision()
    print(f"{'what':44} {'plain s':>10} {'search s':>10} {'ratio':>8}")
    for row in chain(layer_rows(given), calibration_rows(given)):
        print("{:44} {:10.2f} {:10.2f} {:7.1f}x".format(*row), flush=True)
    print("* plain time estimated from", given.plain_candidates, "candidates of every operation")


def layer_rows(given: argparse.Namespace) -> Iterator[tuple[str, float, float, float]]:
    """fc1 of the model: 197 tokens, dim -> 4 dim."""
    import timm

    dim = int(timm.create_model(given.model).embed_dim)
    layer = nn.Linear(dim, 4 * dim)
    inputs = [torch.randn(8, 197, dim) for _ in range(given.layer_images // 8)]
    model = instrument(nn.Sequential(layer), {})
    for path, site in model.sites.items():
        model.place(path, registry().create(registry().quantizers, UNIFORM, site, given.bits))
    quantizers = {site.operand: model.quantizer(path) for path, site in model.sites.items()}
    problem = Layer(model.operation("0"), quantizers, in_memory(torch.cat(inputs).flatten(0, 1), quantizers["input"]))
    none = torch.zeros_like(problem.bias)
    factors = torch.linspace(0.5, 1.2, given.candidates, dtype=torch.float64).tolist()
    for searched in ("weight", "input"):
        def search(searched: str = searched) -> object:
            return race(problem.blocks(searched, 1.0), factors,
                        lambda sums: losses(sums, "pearson", problem.bias, none), lambda index: 0.0, given.race)

        fast = timed(search)
        plain = plain_seconds(problem, searched, factors[::10]) * given.candidates
        yield f"{searched} search, {dim} -> {4 * dim}, {given.layer_images} images", plain, fast, plain / fast


def calibration_rows(given: argparse.Namespace) -> Iterator[tuple[str, float, float, float]]:
    """The whole method; the plain time is measured inside, and taken off again."""
    import timm

    inner = timm.create_model(given.model, **({"depth": given.depth} if given.depth else {})).eval()
    adapters = {spec.attention: registry().component(spec) for spec in registry().adapters.values()}
    calibration = Calibration(RandomPictures(), list(range(given.images)), lambda model, x: model(x), 8)
    context = Context(instrument(inner, adapters), calibration, Bits(given.bits, given.bits), registry(),
                      lambda a, b: (a - b).square().mean(), torch.Generator().manual_seed(0), silent)
    meter = PlainMeter(given.plain_candidates)
    alternating.alternate = meter  # the same search, timed beside the plain loop
    method = registry().create(registry().methods, Choice(name="ptqvit", options={
        "search": {"candidates": given.candidates, "race": given.race}}))
    method.place(context)
    total = timed(lambda: method.calibrate(context)) - meter.measuring
    plain = total - meter.searching + meter.plain
    yield f"searches alone, {given.images} images*", meter.plain, meter.searching, meter.plain / meter.searching
    yield f"calibration, {given.model}, {given.images} images*", plain, total, plain / total


class PlainMeter:
    """``alternate``, with the plain loop timed for some candidates of each operation."""

    def __init__(self, candidates: int) -> None:
        self.candidates, self.plain, self.searching, self.measuring = candidates, 0.0, 0.0, 0.0

    def __call__(self, problem: Any, options: Any, extra: Ranking | None = None) -> State:
        searches: list[str] = []
        blocks = problem.blocks

        def counting(searched: str, held: float) -> Any:
            searches.append(searched)
            return blocks(searched, held)

        problem.blocks = counting
        start = time.process_time()
        state = alternate(problem, options, extra)
        self.searching += time.process_time() - start
        start = time.process_time()
        some = [0.8 + 0.1 * i for i in range(self.candidates)]
        for searched in problem.operands:
            seconds = plain_seconds(problem, searched, some)
            if extra is not None:
                fresh = Ranking(problem, options.ranking, torch.Generator().manual_seed(0))
                seconds += timed(lambda fresh=fresh: [fresh(factor, 0.9876) for factor in some]) / len(some)
            self.plain += seconds * options.candidates * searches.count(searched)
        self.measuring += time.process_time() - start
        return state


def plain_seconds(problem: Any, searched: str, factors: Sequence[float]) -> float:
    """Seconds that the plain loop needs for one candidate of one operand; reference outputs are given."""
    run = layer_outputs if isinstance(problem, Layer) else product_outputs
    references = list(run(problem, {}))
    start = time.process_time()
    for factor in factors:
        pearson(zip(references, run(problem, dict.fromkeys(problem.operands, 1.0) | {searched: factor}), strict=True))
    return (time.process_time() - start) / len(factors)


def layer_outputs(problem: Layer, factors: Mapping[str, float]) -> Iterator[Tensor]:
    """The layer on every batch, operands quantized at ``factors`` (in full precision where none is given)."""
    operation, operands = problem.operation, problem.operands
    weight = operands["weight"].quantized(problem.weight, factors["weight"]) if factors else problem.weight
    for (x,) in problem.inputs.blocks(lambda _: PLAIN_BATCH * 197):
        seen = operands["input"].quantized(x, factors["input"]) if factors else x
        yield functional.linear(seen.flatten(1), weight.flatten(1), operation.bias)


def product_outputs(problem: Product, factors: Mapping[str, float]) -> Iterator[Tensor]:
    """The product on every batch, likewise."""
    for pair in problem.inputs.blocks(lambda _: PLAIN_BATCH):
        left, right = (problem.operands[name].quantized(tensor, factors[name]) if factors else tensor
                       for name, tensor in zip((problem.left, problem.right), pair, strict=True))
        yield (left * problem.scale) @ (right.mT if problem.right == "key" else right)


def in_memory(rows: Tensor, quantizer: Any) -> Inputs:
    """A layer's rows as a capture gives them."""
    observer = MinMax(quantizer.partition)
    observer.observe(rows)

    def blocks(size: Callable[..., int], seed: int | None) -> Iterator[tuple[Tensor, ...]]:
        order = (torch.arange(len(rows)) if seed is None
                 else torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed)))
        for chosen in order.split(size([rows.shape[1:]])):
            yield (rows[chosen],)

    return Inputs(blocks, len(rows), {"input": observer.range()})


def pearson(pairs: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Of all elements of pairs of tensors, from five running sums."""
    count, sums = 0, torch.zeros(5, dtype=torch.float64)
    for a, b in pairs:
        count += a.numel()
        sums += torch.stack([a.sum(), b.sum(), (a * a).sum(), (b * b).sum(), (a * b).sum()]).double()
    one, two, aa, bb, ab = sums.tolist()
    return (ab - one * two / count) / ((aa - one * one / count) * (bb - two * two / count)) ** 0.5


def timed(call: Callable[[], object]) -> float:
    """CPU seconds of one call (the machine may be busy with other things)."""
    start = time.process_time()
    call()
    return time.process_time() - start


class RandomPictures:
    """Endless reproducible noise of the size of ImageNet pictures."""

    ids: Sequence[str] = tuple(str(index) for index in range(100_000))

    def batches(self, indices: Sequence[int], size: int) -> Iterator[Any]:
        for start in range(0, len(indices), size):
            pictures = [torch.randn(3, 224, 224, generator=torch.Generator().manual_seed(index))
                        for index in indices[start:start + size]]
            yield SimpleNamespace(inputs=torch.stack(pictures), targets=None)


@contextmanager
def silent(what: str, total: int) -> Iterator[Callable[[], None]]:
    """No progress bar."""
    yield lambda: None


#: Pictures that the plain loop takes at a time.
PLAIN_BATCH = 8
UNIFORM = Choice(name="uniform", options={"granularity": "tensor", "scheme": "symmetric"})

if __name__ == "__main__":
    main()
