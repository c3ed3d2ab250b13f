"""EasyQuant against a slow reference that runs every layer again for every candidate."""

from __future__ import annotations

import math

import pytest
import torch
from baseline_cases import case, context_of, linear_net, run_method
from torch import Tensor, nn
from torch.nn import functional

from harness import Choice, OptionError, Partition, Uniform
from harness.registry import registry
from harness_plugins.easyquant.operand import Operand
from harness_plugins.easyquant.products import ProductSample
from harness_plugins.easyquant.similarity import fit, output_similarity

FACTORS = torch.linspace(.5, 1.2, 15)


def symmetric(partition: Partition, tensor: Tensor, bits: int = 3) -> Uniform:
    quantizer = Uniform(partition, bits, "symmetric")
    quantizer.set_range(partition.reduce(tensor, "amin"), partition.reduce(tensor, "amax"))
    return quantizer


def slot_cosine(expected: Tensor, given: Tensor, mask: Tensor | None = None) -> float:
    if mask is not None:
        expected, given = expected[mask], given[mask]
    return float(functional.cosine_similarity(expected.flatten().double(), given.flatten().double(), dim=0))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("granularity", ["channel", "tensor", "group"])
def test_weight_similarity_is_that_of_the_output(granularity: str, bias: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    full, seen = torch.randn(1, 30, 5, generator=generator), torch.randn(1, 30, 5, generator=generator) * .2
    seen += full
    weight, offset = torch.randn(6, 5, generator=generator), torch.randn(6, generator=generator)
    index = {"channel": torch.arange(6), "tensor": torch.zeros(6), "group": torch.tensor([0, 0, 1, 1, 1, 2])}
    partition = Partition.along(index[granularity], -2, granularity)
    quantizer, tokens = symmetric(partition, weight), symmetric(Partition.tensor(), seen)
    constant = (offset.reshape(1, 6, 1), torch.ones(1, 30, 1)) if bias else (None, None)
    slots = partition.index.expand(6, 5)[None] if partition.slots > 1 else None
    operand = Operand(weight[None], weight[None], quantizer, slots, constant[0])
    result = output_similarity(operand, Operand(full, seen, tokens, None, constant[1]), FACTORS)
    expected = functional.linear(full[0], weight, offset if bias else None)
    for factor, row in zip(FACTORS, result, strict=True):
        probe = Uniform(partition, 3, "symmetric")
        probe.scale.data.copy_(quantizer.scale * factor)
        output = functional.linear(tokens(seen[0]), probe(weight), offset if bias else None)
        for slot in range(partition.slots):
            mask = (partition.index.flatten() == slot).expand(30, 6)
            assert float(row[slot]) == pytest.approx(slot_cosine(expected, output, mask), abs=1e-6)


@pytest.mark.parametrize("outputs", [3, 40])
@pytest.mark.parametrize("granularity", ["tensor", "channel"])
def test_input_similarity_is_that_of_the_whole_output(granularity: str, outputs: int) -> None:
    generator = torch.Generator().manual_seed(0)
    full, weight = torch.randn(1, 30, 5, generator=generator), torch.randn(outputs, 5, generator=generator)
    seen = full + .1 * torch.randn(1, 30, 5, generator=generator)
    partition = Partition.tensor() if granularity == "tensor" else Partition.along(torch.arange(5), -1, "channel")
    quantizer = symmetric(partition, seen)
    rows = symmetric(Partition.along(torch.arange(outputs), -2, "channel"), weight)
    operand = Operand(full, seen, quantizer, None if granularity == "tensor" else torch.arange(5))
    slots = torch.arange(outputs)[None, :, None]
    result = output_similarity(operand, Operand(weight[None], weight[None], rows, slots), FACTORS)
    assert result.shape == (15, 1)  # slots along the inner axis are scaled together
    for factor, row in zip(FACTORS, result, strict=True):
        probe = Uniform(partition, 3, "symmetric")
        probe.scale.data.copy_(quantizer.scale * factor)
        output = functional.linear(probe(seen[0]), rows(weight))
        assert float(row) == pytest.approx(slot_cosine(full[0] @ weight.T, output), abs=1e-6)


@pytest.mark.parametrize("transposed", [False, True])
def test_attention_products_with_a_scale_for_each_head(transposed: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(4, 2, 7, 3, generator=generator)
    right = torch.randn(4, 2, 3, 5, generator=generator) if transposed else torch.randn(4, 2, 5, 3, generator=generator)
    factor = torch.tensor([1., 9.]).reshape(2, 1, 1)
    sample = ProductSample(10_000, 2, 0, transposed)
    for start in (0, 2):
        sample(left[start:start + 2], right[start:start + 2], factor)
    head = Partition.along(torch.arange(2), -3, "head")
    first, second = symmetric(Partition.tensor(), left), symmetric(head, right)
    operands = (Operand(sample.left, sample.left, first, sample.slots(first.partition, "left")),
                Operand(sample.right, sample.right, second, sample.slots(head, "right")))

    def product(a: Tensor, b: Tensor) -> Tensor:
        return factor * (a @ (b if transposed else b.mT))

    whole = output_similarity(*operands, FACTORS, sample.weight)
    heads = output_similarity(operands[1], operands[0], FACTORS, sample.weight)
    assert (whole.shape, heads.shape) == ((15, 1), (15, 2))
    for i, times in enumerate(FACTORS):
        probe = Uniform(first.partition, 3, "symmetric")
        probe.scale.data.copy_(first.scale * times)
        expected = slot_cosine(product(left, right), product(probe(left), second(right)))
        assert float(whole[i]) == pytest.approx(expected, abs=1e-6)
        probe = Uniform(head, 3, "symmetric")
        probe.scale.data.copy_(second.scale * times)
        for h in range(2):
            expected = slot_cosine(product(left, right)[:, h], product(first(left), probe(right))[:, h])
            assert float(heads[i, h]) == pytest.approx(expected, abs=1e-6)


def test_product_samples_are_bounded_and_whole() -> None:
    sample = ProductSample(40, 4, 0, False)
    for _ in range(4):
        sample(torch.randn(8, 2, 5, 3), torch.randn(8, 2, 6, 3))
    assert sample.left.shape == (8, 5, 3)
    assert sample.right.shape == (8, 6, 3)
    assert sample.weight is None


def test_a_slot_without_output_keeps_its_scale() -> None:
    weight = torch.tensor([[0., 0.], [1., -.3]])
    partition = Partition.along(torch.arange(2), -2, "channel")
    quantizer = symmetric(partition, weight)
    operand = Operand(weight[None], weight[None], quantizer, torch.arange(2)[None, :, None])
    tokens = torch.randn(1, 20, 2, generator=torch.Generator().manual_seed(0))
    before = quantizer.scale.clone()
    fit(operand, Operand(tokens, tokens, None), before, torch.cat((torch.ones(1), FACTORS)))
    assert float(quantizer.scale[0]) == 1


def slow_layer(layer: nn.Linear, full: Tensor, seen: Tensor, bits: tuple[int, int], rounds: int,
               factors: list[float]) -> tuple[Tensor, float, Tensor]:
    """The whole of EasyQuant for one linear layer: scales of the weight, of the input, quantized output."""
    weight, target = layer.weight.detach(), layer(full).detach()

    def quantize(x: Tensor, s: Tensor, b: int) -> Tensor:
        return (x / s).round().clamp(-2 ** (b - 1), 2 ** (b - 1) - 1) * s

    start_w, start_x = weight.abs().amax(1) / (2 ** (bits[0] - 1) - 1), seen.abs().max() / (2 ** (bits[1] - 1) - 1)
    w, x = start_w.clone(), start_x.clone()
    for _ in range(rounds):
        for channel in range(len(w)):
            def score(f: float, channel: int = channel, x: Tensor = x) -> float:
                row = quantize(weight[channel], start_w[channel] * f, bits[0])
                return slot_cosine(target[:, channel], quantize(seen, x, bits[1]) @ row + layer.bias[channel].detach())
            w[channel] = start_w[channel] * max(factors, key=score)
        quantized = quantize(weight, w[:, None], bits[0])
        x = start_x * max(factors, key=lambda f: slot_cosine(
            target, functional.linear(quantize(seen, start_x * f, bits[1]), quantized, layer.bias.detach())))
    return w, float(x), functional.linear(quantize(seen, x, bits[1]), quantized, layer.bias.detach())


@pytest.mark.parametrize("order", ["sequential", "parallel"])
def test_two_layers_against_the_slow_reference(order: str) -> None:
    model, data = linear_net(), torch.randn(60, 6, generator=torch.Generator().manual_seed(4))
    layers, factors = (model[0], model[2]), [1., *torch.linspace(.5, 1.2, 20).tolist()]
    hidden = torch.relu(layers[0](data)).detach()
    first = slow_layer(layers[0], data, data, (3, 3), 2, factors)
    seen = torch.relu(first[2]) if order == "sequential" else hidden
    second = slow_layer(layers[1], hidden, seen, (3, 3), 2, factors)
    quantized = run_method("easyquant", context_of(model, data, 3, 3, batch_size=16), stem_bits=None,
                           search={"candidates": 20, "order": order})
    for path, (weight, tokens, _) in (("0", first), ("2", second)):
        torch.testing.assert_close(quantized.quantizer(f"{path}.weight").scale.data, weight, rtol=1e-4, atol=0)
        assert float(quantized.quantizer(f"{path}.input").scale) == pytest.approx(tokens, rel=1e-4)


@pytest.mark.parametrize("name", ["linear", "conv", "transformer"])
def test_full_range_alone_is_symmetric_minmax(name: str) -> None:
    found = run_method("easyquant", case(name, weights=8, activations=8),
                       search={"alpha": 1., "beta": 1., "candidates": 1, "order": "parallel"})
    symmetric_options = {kind: {"name": "uniform", "options": {"granularity": granularity, "scheme": "symmetric"}}
                         for kind, granularity in (("weights", "channel"), ("activations", "tensor"))}
    expected = run_method("minmax", case(name, weights=8, activations=8), **symmetric_options)
    for path, quantizer in found.quantizers.items():
        if isinstance(quantizer, Uniform):
            torch.testing.assert_close(quantizer.scale, expected.quantizer(path).scale, msg=path)


def test_candidates_must_be_in_order() -> None:
    with pytest.raises(OptionError, match="alpha"):
        registry().options(registry().searches, Choice(name="easyquant", options={"alpha": 2.}))
    assert math.isclose(registry().options(registry().searches, Choice(name="easyquant")).beta, 1.2)
