"""VT-PTQ's interval search against slow loops that run the operation again for every candidate."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from ptqvit_cases import fake, inputs_of, pearson, symmetric
from torch import Tensor, nn

from harness import instrument
from harness_plugins.ptqvit.layer import Layer
from harness_plugins.ptqvit.operand import Operand
from harness_plugins.ptqvit.options import AlternatingOptions
from harness_plugins.ptqvit.product import Product
from harness_plugins.ptqvit.race import race
from harness_plugins.ptqvit.rounds import alternate, choose
from harness_plugins.ptqvit.similarity import Sums, losses

GRID = torch.linspace(0.5, 1.2, 100, dtype=torch.float64).tolist()


def sums_of(problem: Any, searched: str, held: float, factors: list[float] = GRID) -> Sums:
    return race(problem.blocks(searched, held), factors, lambda s: s.ee, lambda i: 0.0, 0)[1]


def layer(module: nn.Module, shape: tuple[int, ...], chunks: int = 3, bits: int = 4) -> tuple[Layer, list[Tensor]]:
    torch.manual_seed(1)
    inputs = [torch.randn(shape) * torch.linspace(0.2, 3, shape[1] if len(shape) == 4 else shape[-1]).reshape(
        (-1, 1, 1) if len(shape) == 4 else (-1,)) for _ in range(chunks)]
    model = instrument(nn.Sequential(module), {})
    quantizers = symmetric(model, bits)
    given = inputs_of(quantizers, [(chunk,) for chunk in inputs], model.operation("0"))
    return Layer(model.operation("0"), quantizers, given), inputs


LAYERS = {
    "wide": (lambda: nn.Linear(6, 17), (3, 5, 6)), "narrow": (lambda: nn.Linear(17, 6, bias=False), (3, 5, 17)),
    "patch": (lambda: nn.Conv2d(3, 8, 4, stride=4), (2, 3, 8, 8)),
    "padded": (lambda: nn.Conv2d(4, 6, 3, padding=1, groups=2), (2, 4, 5, 5)),
}


def slow_layer(problem: Layer, inputs: list[Tensor], searched: str, held: float, shift: Tensor,
               measure: Any) -> list[float]:
    """The plain way, in float64: quantize, run the layer, compare."""
    operation = problem.operation
    original = operation.__dict__["original"]
    steps = {name: float(operand.full_range) for name, operand in problem.operands.items()}

    def run(x: Tensor, w: Tensor, bias: Tensor) -> Tensor:
        if isinstance(original, nn.Linear):
            return nn.functional.linear(x.double(), w.double(), bias)
        return nn.functional.conv2d(x.double(), w.double(), bias, original.stride, original.padding, 1,
                                    original.groups)

    found = []
    for factor in GRID:
        at = {"weight": held, "input": held} | {searched: factor}
        scales = {name: float(torch.tensor(steps[name]) * at[name]) for name in at}
        quantized = torch.cat([run(fake(x, scales["input"]), fake(problem.weight, scales["weight"]),
                                   problem.bias + shift) for x in inputs])
        found.append(measure(torch.cat([run(x, problem.weight, problem.bias) for x in inputs]), quantized))
    return found


@pytest.mark.parametrize("searched", ["weight", "input"])
@pytest.mark.parametrize("name", LAYERS)
def test_layer_candidates_equal_the_plain_way(name: str, searched: str) -> None:
    build, shape = LAYERS[name]
    torch.manual_seed(0)
    problem, inputs = layer(build(), shape)
    shift = torch.linspace(-0.1, 0.2, len(problem.bias), dtype=torch.float64)
    sums = sums_of(problem, searched, 0.8)
    cosine = nn.CosineSimilarity(dim=0)
    for kind, measure in (("pearson", lambda a, b: -pearson(a, b)),
                          ("cosine", lambda a, b: -float(cosine(a.flatten(), b.flatten()))),
                          ("mse", lambda a, b: float((a - b).square().mean()))):
        slow = slow_layer(problem, inputs, searched, 0.8, shift, measure)
        fast = losses(sums, kind, problem.bias, shift)
        torch.testing.assert_close(fast, torch.tensor(slow, dtype=torch.float64), rtol=0, atol=2e-6)
        assert int(fast.argmin()) == min(range(len(slow)), key=slow.__getitem__)


@pytest.mark.parametrize("names", [("query", "key"), ("attention", "value")])
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("tokens", [4, 11])
def test_product_candidates_equal_the_plain_way(names: tuple[str, str], side: int, tokens: int) -> None:
    torch.manual_seed(2)
    scores = names == ("query", "key")
    def right_of() -> Tensor:
        return torch.randn(3, 2, tokens, 6)

    chunks = [(torch.randn(3, 2, 5, 6) if scores else torch.randn(3, 2, 5, tokens).softmax(-1), right_of())
              for _ in range(2)]
    scale = 0.4 if scores else 1.0
    operands = {name: _uniform() for name in names}
    problem = Product(names, operands, inputs_of(operands, chunks, scale=scale))
    steps = [float(problem.operands[name].full_range) for name in names]
    slow = []
    for factor in GRID:
        at = [0.8, 0.8]
        at[side] = factor
        scales = [float(torch.tensor(step) * f) for step, f in zip(steps, at, strict=True)]
        pairs = [((left, right), (fake(left, scales[0]), fake(right, scales[1]))) for left, right in chunks]
        exact, quantized = ([torch.einsum("bhnd,bhmd->bhnm" if scores else "bhnm,bhmd->bhnd", a.double(), b.double())
                             * scale for a, b in which] for which in zip(*pairs, strict=True))
        slow.append(-pearson(torch.cat(exact), torch.cat(quantized)))
    fast = losses(sums_of(problem, names[side], 0.8), "pearson", problem.bias, torch.zeros_like(problem.bias))
    torch.testing.assert_close(fast, torch.tensor(slow, dtype=torch.float64), rtol=0, atol=2e-6)
    assert int(fast.argmin()) == min(range(len(slow)), key=slow.__getitem__)


def _uniform(bits: int = 4) -> Any:
    from harness import Partition, Uniform
    return Uniform(Partition.tensor(), bits, "symmetric")


def similarity(a: list[float], b: list[float], kind: str = "pearson") -> float:
    """Through the sums, as one column."""
    o, e = torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64) - torch.tensor(
        a, dtype=torch.float64)
    sums = Sums(len(a), (o * o).sum(), o.sum().reshape(1), (e * e).sum().reshape(1), (o * e).sum().reshape(1),
                e.sum().reshape(1, 1))
    zero = torch.zeros(1, dtype=torch.float64)
    return -float(losses(sums, kind, zero, zero))


def test_pearson_vectors() -> None:
    o = [1.0, 2.0, 3.0, 4.0]
    assert similarity(o, [1.1, 1.9, 3.2, 3.8]) == pytest.approx(0.990847, abs=1e-6)
    assert similarity(o, o) == pytest.approx(1, abs=1e-15)
    assert similarity(o, [3 * x - 7 for x in [1.1, 1.9, 3.2, 3.8]]) == pytest.approx(0.990847, abs=1e-6)
    assert similarity(o, [-3 * x + 2 for x in [1.1, 1.9, 3.2, 3.8]]) == pytest.approx(-0.990847, abs=1e-6)


def test_similarity_of_constants_is_defined() -> None:
    assert similarity([2.0, 2.0], [5.0, 5.0]) == 1
    assert similarity([2.0, 2.0], [5.0, 6.0]) == 0
    assert similarity([1.0, 2.0], [5.0, 5.0]) == 0
    assert similarity([0.0, 0.0], [0.0, 0.0], "cosine") == 1
    assert similarity([1.0, 2.0], [0.0, 0.0], "cosine") == 0


def test_zero_tensors_keep_the_full_range() -> None:
    problem, _ = layer(nn.Linear(4, 3), (2, 5, 4))
    problem.operands["weight"] = Operand.of(_uniform(), torch.zeros(3, 4))
    problem.weight.zero_()
    state = alternate(problem, AlternatingOptions())
    assert abs(state.factors["weight"] - 1) < 0.01
    assert state.objective == pytest.approx(-1 if float(problem.bias.std()) > 0 else 0, abs=1e-6)


@pytest.mark.parametrize("bias", [True, False])
def test_bias_correction_removes_the_mean_error_of_every_unit(bias: bool) -> None:
    torch.manual_seed(0)
    module = nn.Linear(9, 7, bias=bias)
    problem, inputs = layer(module, (4, 6, 9))
    before = torch.cat([module.double()(x.double()) for x in inputs]).detach()
    module.float()
    state = alternate(problem, AlternatingOptions())
    for name, operand in problem.operands.items():
        operand.set(state.factors[name])
    weight = problem.operands["weight"].quantizer.quantize(problem.weight).double()
    given = torch.cat([problem.operands["input"].quantizer.quantize(x).double() @ weight.T for x in inputs])
    drift = (given + problem.bias + state.shift - before).mean((0, 1))
    assert float((given + problem.bias - before).mean((0, 1)).abs().max()) > 1e-3, "there was something to correct"
    assert float(drift.abs().max()) < 1e-6
    problem.correct_bias(state.shift)
    torch.testing.assert_close(problem.operation.bias.double(), problem.bias + state.shift, rtol=0, atol=1e-6)
    assert problem.operation(inputs[0]).shape == (4, 6, 7)


def test_one_candidate_at_one_is_the_full_range() -> None:
    problem, inputs = layer(nn.Linear(9, 7), (4, 6, 9))
    state = alternate(problem, AlternatingOptions(alpha=1, beta=1, candidates=1))
    assert state.factors == {"weight": 1.0, "input": 1.0}
    problem.operands["input"].set(state.factors["input"])
    assert float(problem.operands["input"].quantizer.scale) == pytest.approx(
        float(torch.cat(inputs).abs().max()) / 7, rel=1e-6)


def test_objective_never_rises_while_the_bias_stands() -> None:
    problem, _ = layer(nn.Linear(9, 7), (4, 6, 9), bits=3)
    state = alternate(problem, AlternatingOptions(bias_correction=False, tolerance=0))
    assert len(state.steps) >= 2
    assert all(later <= earlier for earlier, later in zip(state.steps, state.steps[1:], strict=False))
    assert state.objective == state.steps[-1]


def test_no_search_is_repeated_for_the_same_held_scale() -> None:
    problem, _ = layer(nn.Linear(9, 7), (4, 6, 9), bits=3)
    asked: list[tuple[str, float]] = []
    blocks = problem.blocks
    problem.blocks = lambda searched, held: asked.append((searched, held)) or blocks(searched, held)
    alternate(problem, AlternatingOptions())
    assert len(asked) == len(set(asked)) >= 2


def test_ties_go_to_the_full_range_and_ranking_is_asked_only_where_it_matters() -> None:
    grid = [0.5, 0.9, 1.2]
    assert choose([-1.0, -1.0, -1.0], grid, lambda i: 0.0) == (1, -1.0)
    asked: list[int] = []

    def extra(index: int) -> float:
        asked.append(index)
        return [0.3, 0.1, 0.0][index]

    assert choose([-0.9, -0.8, -0.5], grid, extra) == (1, pytest.approx(-0.7))
    assert asked == [0, 1]


def test_race_drops_only_losers() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.linspace(-1, 1, 41, dtype=torch.float64) ** 2
    noise = 0.02 * torch.randn(40, 41, generator=generator, dtype=torch.float64)
    sizes: list[int] = []

    def block(number: int) -> Any:
        def measure(factors: list[float]) -> Sums:
            sizes.append(len(factors))
            ee = torch.stack([truth[int(f)] + noise[number, int(f)] for f in factors])
            one = torch.ones((), dtype=torch.float64)
            return Sums(1, one, one.reshape(1), ee, 0 * ee, ee[:, None])
        return measure

    factors = [float(i) for i in range(41)]
    def loss(sums: Sums) -> Tensor:
        return sums.ee / sums.rows

    running, sums = race([block(i) for i in range(40)], factors, loss, lambda i: 0.0, 6)
    everyone, whole = race([block(i) for i in range(40)], factors, loss, lambda i: 0.0, 0)
    assert everyone == list(range(41))
    assert sizes[:8] == [41] * 8
    assert len(running) < 20
    best = int(loss(whole).argmin())
    assert running[int(loss(sums).argmin())] == best
    torch.testing.assert_close(sums.ee, whole.ee[running])
    handicapped, _ = race([block(i) for i in range(40)], factors, loss, lambda i: 5.0 * (i != 0), 6)
    assert handicapped == [0]


def test_race_and_full_search_agree_on_a_layer() -> None:
    problem, _ = layer(nn.Linear(24, 40), (64, 8, 24), chunks=30)
    raced, full = (alternate(problem, AlternatingOptions(race=errors)) for errors in (6, 0))
    assert raced.factors == full.factors
    assert raced.objective == pytest.approx(full.objective, abs=1e-12)


def test_full_precision_operand_is_left_alone() -> None:
    from harness import Identity
    inputs = [torch.randn(3, 5, 4)]
    model = instrument(nn.Sequential(nn.Linear(4, 3)), {})
    quantizers = symmetric(model) | {"input": Identity()}
    given = inputs_of(quantizers, [(x,) for x in inputs], model.operation("0"))
    state = alternate(Layer(model.operation("0"), quantizers, given), AlternatingOptions())
    assert state.factors["input"] == 1.0
    assert state.objective < -0.9


def test_similarity_off_is_the_full_range() -> None:
    problem, _ = layer(nn.Linear(4, 3), (2, 5, 4))
    assert alternate(problem, AlternatingOptions(similarity="off")).factors == {"weight": 1.0, "input": 1.0}


def test_empty_calibration_is_an_error() -> None:
    with pytest.raises(ValueError, match="empty"):
        race([], [1.0], lambda s: s.ee, lambda i: 0.0, 6)
