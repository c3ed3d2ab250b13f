"""The streaming observers against everything-at-once references."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from harness import (
    Elements,
    Histogram,
    MinMax,
    MovingMinMax,
    MovingPercentile,
    Partition,
    QuantizationError,
    RowSample,
    Uniform,
    best_range,
    input_rows,
    instrument,
    quantize_rows,
    range_errors,
    weight_rows,
)

PARTITIONS = {
    "tensor": Partition.tensor(),
    "channel": Partition.along(torch.arange(6), -1, "channel"),
    "uneven groups": Partition.along(torch.tensor([0, 0, 0, 0, 1, 1]), -1, "group of 4"),
    "scattered": Partition.along(torch.tensor([2, 0, 1, 0, 2, 2]), -1, "learned"),
    "head": Partition.along(torch.tensor([0, 1, 2]), -3, "head"),
}


@pytest.fixture(params=PARTITIONS, name="partition")
def fixture_partition(request: pytest.FixtureRequest) -> Partition:
    return PARTITIONS[request.param]


@pytest.fixture(name="batches")
def fixture_batches() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    # Later batches reach further, so that streaming has to widen.
    return [torch.randn(4, 3, 5, 6, generator=generator) * 3 ** i + .1 for i in range(4)]


def by_slot(partition: Partition, tensor: Tensor) -> list[Tensor]:
    """The elements of each slot, by a plain loop over slots."""
    index = torch.broadcast_to(partition.index, tensor.shape)
    return [tensor[index == slot] for slot in range(partition.slots)]


def test_minmax_is_that_of_all_batches(partition: Partition, batches: list[Tensor]) -> None:
    observer = MinMax(partition)
    for batch in batches:
        observer.observe(batch)
    slots = by_slot(partition, torch.cat(batches))
    assert observer.range()[0].tolist() == [float(slot.min()) for slot in slots]
    assert observer.range()[1].tolist() == [float(slot.max()) for slot in slots]


def test_moving_minmax(partition: Partition, batches: list[Tensor]) -> None:
    observer = MovingMinMax(partition, rate=.25)
    for batch in batches:
        observer.observe(batch)
    expected = torch.tensor([float(slot.max()) for slot in by_slot(partition, batches[0])])
    for batch in batches[1:]:
        expected = .75 * expected + .25 * torch.tensor([float(slot.max()) for slot in by_slot(partition, batch)])
    torch.testing.assert_close(observer.range()[1], expected)


@pytest.mark.parametrize("percent", [100., 99.999, 99., 77.7, 50.])
def test_percentile_of_one_batch(partition: Partition, batches: list[Tensor], percent: float) -> None:
    observer = MovingPercentile(partition, (percent,))
    observer.observe(batches[0])
    lower, upper = observer.range()
    for slot, elements in enumerate(by_slot(partition, batches[0])):
        expected = torch.quantile(elements.double(), torch.tensor([1 - percent / 100, percent / 100]).double())
        torch.testing.assert_close(torch.stack((lower[slot], upper[slot])), expected.float())


def test_percentiles_move_over_batches(batches: list[Tensor]) -> None:
    observer = MovingPercentile(Partition.tensor(), (99., 90.), rate=.1)
    for batch in batches[:2]:
        observer.observe(batch)
    first, second = (torch.quantile(batch.flatten(), torch.tensor([.99, .9])) for batch in batches[:2])
    torch.testing.assert_close(observer.candidates[1][:, 0], .9 * first + .1 * second)
    torch.testing.assert_close(observer.range()[1], observer.candidates[1][0])


def test_histogram_keeps_every_value_and_every_sum(partition: Partition, batches: list[Tensor]) -> None:
    observer = Histogram(partition, bins=64)
    for batch in batches:
        observer.observe(batch)
    means, counts = observer.bins()
    slots = by_slot(partition, torch.cat(batches))
    assert counts.sum(1).tolist() == [slot.numel() for slot in slots]
    torch.testing.assert_close((means * counts).sum(1), torch.stack([slot.sum() for slot in slots]),
                               rtol=1e-4, atol=1e-2)
    # Each mean lies in its own bin: bins are ordered and, where filled, at most one width apart inside.
    filled = means[counts > 0] if partition.slots == 1 else means[0][counts[0] > 0]
    assert bool((filled.diff() > 0).all())


def test_histogram_widens_without_losing_resolution() -> None:
    tensor = torch.linspace(-1, 1, 5000)
    whole, grown = Histogram(Partition.tensor(), 256), Histogram(Partition.tensor(), 256)
    whole.observe(tensor)
    for part in (tensor[2400:2600], tensor[:2400], tensor[2600:]):
        grown.observe(part)
    assert int((grown.bins()[1] > 0).sum()) >= 256 // 2
    assert int((whole.bins()[1] > 0).sum()) == 256


def test_histogram_of_zeros_first_has_full_resolution_later() -> None:
    observer = Histogram(Partition.tensor(), 256)
    observer.observe(torch.zeros(10))
    observer.observe(torch.linspace(0, 1e-3, 1000))
    means, counts = observer.bins()
    assert int((counts > 0).sum()) == 128
    assert float((means * counts).sum()) == pytest.approx(.5, rel=1e-4)


@pytest.mark.parametrize("scheme", ["symmetric", "asymmetric", "unsigned"])
def test_range_errors_are_those_of_the_quantizer(partition: Partition, batches: list[Tensor], scheme: str) -> None:
    quantizer = Uniform(partition, 3, scheme)  # type: ignore[arg-type]
    elements = Elements(partition)
    elements.observe(batches[0])
    lower, upper = elements.range()
    factors = torch.tensor([1., .8, .3])[:, None]
    errors = range_errors(quantizer, *elements.bins(), factors * lower, factors * upper)
    for factor, row in zip(factors.flatten().tolist(), errors, strict=True):
        quantizer.set_range(factor * lower, factor * upper)
        squares = (quantizer(batches[0]) - batches[0]).double().square()
        expected = torch.stack([slot.sum() for slot in by_slot(partition, squares)])
        torch.testing.assert_close(row, expected, rtol=1e-5, atol=1e-6)


def test_histogram_chooses_nearly_the_best_range(batches: list[Tensor]) -> None:
    quantizer = Uniform(Partition.tensor(), 4)
    histogram, data = Histogram(Partition.tensor(), 2048), torch.cat(batches)
    for batch in batches:
        histogram.observe(batch)
    factors = 1 - .01 * torch.arange(90)[:, None]
    lower, upper = (factors * bound for bound in histogram.range())
    exact = range_errors(quantizer, data.reshape(1, -1), torch.ones(1, data.numel()), lower, upper)
    chosen = best_range(quantizer, *histogram.bins(), lower, upper)[1]
    at = int((upper[:, 0] == chosen).nonzero()[0])
    assert float(exact[at]) <= float(exact.min()) * 1.001
    assert float(exact.min()) < .9 * float(exact[0])  # shrinking matters on this data


def test_an_observer_without_data_is_an_error(partition: Partition) -> None:
    for observer in (MinMax(partition), MovingPercentile(partition), Histogram(partition), Elements(partition)):
        with pytest.raises(QuantizationError, match="no calibration data"):
            observer.range()


LAYERS = {
    "linear": (nn.Linear(6, 4), (2, 3, 6)),
    "conv": (nn.Conv2d(3, 4, 3, padding=1, stride=2), (2, 3, 7, 7)),
    "grouped": (nn.Conv2d(4, 6, (3, 1), groups=2, dilation=(2, 1)), (2, 4, 7, 5)),
    "depthwise": (nn.Conv2d(4, 4, 3, groups=4), (2, 4, 5, 5)),
    "transposed": (nn.ConvTranspose2d(3, 4, 2, stride=2), (2, 3, 4, 3)),
    "transposed, odd": (nn.ConvTranspose2d(4, 6, (3, 2), stride=(2, 3), padding=(1, 2), output_padding=(1, 0),
                                           dilation=(2, 1), groups=2), (2, 4, 4, 5)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_rows_times_weight_rows_is_the_layer(name: str) -> None:
    layer, shape = LAYERS[name]
    model = instrument(nn.Sequential(layer), {})
    operation, data = model.operation("0"), torch.randn(shape)
    product = input_rows(operation, data) @ weight_rows(operation, layer.weight).mT  # type: ignore[arg-type]
    output = layer(data)
    channels_last = output if name == "linear" else output.permute(0, 2, 3, 1)
    expected = channels_last.reshape(-1, len(layer.bias)) - layer.bias
    torch.testing.assert_close(product.permute(1, 0, 2).reshape(expected.shape), expected)


def test_a_convolution_that_pads_in_its_own_way_has_no_rows() -> None:
    model = instrument(nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect")), {})
    with pytest.raises(QuantizationError, match="no plain matrix form"):
        input_rows(model.operation("0"), torch.randn(1, 1, 4, 4))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["linear", "grouped", "transposed"])
def test_quantize_rows_is_quantize_then_rows(name: str) -> None:
    layer, shape = LAYERS[name]
    model = instrument(nn.Sequential(layer), {})
    data = torch.randn(shape)
    partition = model.sites["0.input"].layout.partition("channel")
    quantizer = Uniform(partition, 3)
    quantizer.set_range(partition.reduce(data, "amin"), partition.reduce(data, "amax"))
    sample = RowSample(model.operation("0"), 10_000, 1, 0, partition)
    sample(data)
    torch.testing.assert_close(quantize_rows(quantizer, sample.rows, sample.slots), input_rows(
        sample.operation, quantizer(data))[:, :sample.rows.shape[1]])


def test_row_samples_are_bounded_and_repeat() -> None:
    model = instrument(nn.Sequential(nn.Linear(6, 4)), {})
    first, second, other = (RowSample(model.operation("0"), 20, 4, seed) for seed in (3, 3, 900))
    for _ in range(4):
        batch = torch.randn(8, 5, 6)
        for sample in (first, second, other):
            sample(batch)
    assert first.rows.shape == (1, 20, 6)
    assert torch.equal(first.rows, second.rows)
    assert not torch.equal(first.rows, other.rows)
