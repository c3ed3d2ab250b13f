"""What VT-PTQ's search keeps of a calibration set: rows, samples, ranges, and how much memory they take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from ptqvit_cases import context_of, run_method, symmetric
from torch import Tensor, nn

from harness import QuantizationError, Uniform, input_rows, instrument, weight_rows
from harness_plugins.ptqvit import layer as layer_module
from harness_plugins.ptqvit import sample as sample_module
from harness_plugins.ptqvit.alternating import AlternatingSearch
from harness_plugins.ptqvit.capture import Capture, leaves_rows_out
from harness_plugins.ptqvit.inputs import small_rows
from harness_plugins.ptqvit.layer import Layer
from harness_plugins.ptqvit.rounds import State
from harness_plugins.ptqvit.rows import as_matrix, row_count, row_width, rows_at
from harness_plugins.ptqvit.sample import LayerSample, ProductSample
from harness_plugins.ptqvit.store import Store

LAYERS = {
    "linear": (lambda: nn.Linear(6, 4), (2, 5, 6)),
    "patches": (lambda: nn.Conv2d(3, 8, 4, stride=4), (2, 3, 9, 8)),
    "padded": (lambda: nn.Conv2d(4, 6, (3, 5), padding=(1, 2), groups=2), (2, 4, 5, 7)),
    "dilated": (lambda: nn.Conv2d(2, 3, 3, stride=2, padding=2, dilation=2), (1, 2, 9, 6)),
    "upsampling": (lambda: nn.ConvTranspose2d(4, 6, 2, stride=2), (2, 4, 3, 5)),
    "overlapping": (lambda: nn.ConvTranspose2d(4, 6, (3, 4), stride=2, padding=1, output_padding=1, groups=2),
                    (2, 4, 3, 5)),
    "dilated transposed": (lambda: nn.ConvTranspose2d(2, 2, 3, stride=3, padding=2, dilation=2), (1, 2, 4, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_rows_are_what_each_output_sees(name: str) -> None:
    build, shape = LAYERS[name]
    torch.manual_seed(0)
    module, tensor = build(), torch.randn(shape)
    operation = instrument(nn.Sequential(module), {}).operation("0")
    count = row_count(operation, tensor)
    rows = rows_at(operation, tensor, torch.arange(count))
    assert rows[0].numel() == row_width(operation)
    torch.testing.assert_close(as_matrix(operation, rows), input_rows(operation, tensor), rtol=0, atol=0)
    outputs = as_matrix(operation, rows) @ weight_rows(operation, operation.weight).mT
    expected = module(tensor) - (module.bias if name == "linear" else module.bias.reshape(-1, 1, 1))
    expected = expected.flatten(0, -2) if name == "linear" else expected.movedim(1, -1).flatten(0, -2)
    torch.testing.assert_close(outputs.transpose(0, 1).flatten(1), expected, rtol=1e-5, atol=1e-5)
    some = torch.tensor([0, count // 2, count - 1])
    torch.testing.assert_close(rows_at(operation, tensor, some), rows[some], rtol=0, atol=0)


def test_convolutions_of_another_kind_are_refused() -> None:
    conv = nn.Conv2d(3, 4, 3, padding="same")
    operation = instrument(nn.Sequential(conv), {}).operation("0")
    with pytest.raises(QuantizationError, match="no plain matrix form"):
        row_count(operation, torch.zeros(1, 3, 4, 4))


def layer_sample(rows: int, width: int = 1) -> tuple[LayerSample, list[Tensor]]:
    written: list[Tensor] = []
    operation = instrument(nn.Sequential(nn.Linear(width, 2)), {}).operation("0")
    return LayerSample(operation, rows, torch.Generator().manual_seed(0), lambda t: written.append(t[0])), written


def test_rows_of_a_forward_are_drawn_evenly_over_its_calls() -> None:
    sample, written = layer_sample(rows=300)
    levels = [torch.arange(4000.0), torch.arange(4000.0, 5000), torch.arange(5000.0, 5200)]
    for level in levels:
        sample.take([level.reshape(1, -1, 1)], pictures=2)
    sample.finish(pictures=2)
    (kept,) = (rows.flatten() for rows in written)
    assert len(kept) == len(kept.unique()) == 600
    expected = torch.tensor([4000, 1000, 200]) / 5200 * 600
    counts = torch.bincount(torch.bucketize(kept, torch.tensor([4000.0, 5000.0]), right=True))
    assert bool(((counts - expected).abs() < 4 * expected.sqrt()).all())
    sample.take([-1 - levels[0].reshape(1, -1, 1)], pictures=1)
    sample.finish(pictures=1)
    assert written[1].shape == (300, 1)
    assert bool((written[1] < 0).all()), "each forward has its own sample"


def test_few_rows_are_all_kept_in_order() -> None:
    sample, written = layer_sample(rows=10)
    for first in (0.0, 8.0):
        sample.take([torch.arange(first, first + 8).reshape(1, 8, 1)], pictures=2)
    sample.finish(pictures=2)
    assert written[0].flatten().tolist() == list(range(16))
    everything, written = layer_sample(rows=0)
    everything.take([torch.arange(5000.0).reshape(1, -1, 1)], pictures=1)
    everything.finish(pictures=1)
    assert len(written[0]) == 5000


def test_wide_rows_are_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_module, "_WIDE", 16)
    sample, written = layer_sample(rows=40, width=64)
    sample.take([torch.randn(1, 50, 64)], pictures=1)
    sample.finish(pictures=1)
    assert written[0].shape == (10, 64)


@pytest.mark.parametrize(("left", "right", "pictures", "kept"), [
    ((2, 3, 7, 4), (2, 3, 7, 4), 2, (2, 3, 7, 4)),  # a small map is kept whole
    ((60, 3, 7, 4), (60, 3, 7, 4), 2, (5, 3, 7, 4)),  # windows: some of them, 2 x 20 rows
    ((2, 3, 90, 4), (2, 3, 50, 4), 2, (2, 3, 20, 4)),  # long maps: some rows of each
])
def test_products_are_sampled_by_entry_and_by_row(left: tuple[int, ...], right: tuple[int, ...], pictures: int,
                                                  kept: tuple[int, ...]) -> None:
    written: list[list[Tensor]] = []
    sample = ProductSample(20, torch.Generator().manual_seed(0), lambda tensors: written.append(list(tensors)))
    query, key = torch.randn(left), torch.randn(right)
    sample.take([query, key], pictures)
    some_query, some_key = written[0]
    assert some_query.shape == kept
    assert some_key.shape == (kept[0], *right[1:])
    product, every = some_query @ some_key.mT, query @ key.mT
    for entry, of_key in zip(product, some_key, strict=True):
        match = next(i for i in range(len(key)) if torch.equal(key[i], of_key))
        for row in entry.transpose(0, 1):
            assert bool((every[match].transpose(0, 1) - row).abs().amax((1, 2)).min() < 1e-5)
    assert sample.rows_of_entry == left[2]


def test_store_gives_back_every_item_and_leaves_nothing(tmp_path: Path) -> None:
    with Store(str(tmp_path)) as store:
        for start in (0, 5):
            store.append("a", [torch.arange(start, start + 5).reshape(5, 1), torch.arange(start, start + 5) * 10.0])
        store.append("a", [torch.full((3, 2), 7), torch.full((3,), 7.0)])  # another shape
        assert store.count("a") == 13
        plain = list(store.blocks("a", lambda shapes: 4 // shapes[0].numel()))
        assert [len(block[0]) for block in plain] == [4, 4, 2, 2, 1]
        assert torch.cat([block[0].flatten() for block in plain[:3]]).tolist() == list(range(10))
        shuffled = list(store.blocks("a", lambda shapes: 4 // shapes[0].numel(), seed=3))
        assert all(torch.equal(one, two) for block, again in zip(
            shuffled, store.blocks("a", lambda shapes: 4 // shapes[0].numel(), seed=3), strict=True)
            for one, two in zip(block, again, strict=True))
        narrow = [block for block in shuffled if block[0].shape[1] == 1]
        order = torch.cat([block[0].flatten() for block in narrow])
        assert order.tolist() != list(range(10))
        assert sorted(order.tolist()) == list(range(10))
        assert torch.equal(torch.cat([block[1] for block in narrow]), 10 * order), "operands stay together"
        assert list(store.blocks("unknown", small_rows)) == []
    assert not list(tmp_path.iterdir())


class Pyramid(nn.Module):
    """A convolution for three levels, a linear layer for regions: as in a detector."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.shared = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.up, self.head = nn.ConvTranspose2d(8, 4, 2, stride=2), nn.Linear(8 * 4 * 4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        levels = [torch.relu(self.shared(nn.functional.max_pool2d(x, 2 ** i))) for i in range(3)]
        regions = torch.cat([level[..., :4, :4] for level in levels])
        return self.head(regions.flatten(1)).mean() + self.up(regions).mean()


def pyramid_context(images: int, batch_size: int = 2) -> Any:
    torch.manual_seed(0)
    data = torch.randn(images, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    context = context_of(Pyramid().eval(), data, "4/4", batch_size)
    for path, site in context.model.sites.items():
        context.model.place(path, symmetric_of(site))
    return context


def symmetric_of(site: Any) -> Uniform:
    return Uniform(site.layout.partition("tensor"), 4, "symmetric")


def test_capture_is_bounded_and_ranges_are_of_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    finish = LayerSample.finish

    def measured(self: LayerSample, pictures: int) -> None:
        held.append(sum(rows.numel() for _, rows in self._kept))
        finish(self, pictures)

    monkeypatch.setattr(LayerSample, "finish", measured)
    context = pyramid_context(images=10)
    paths = list(context.model.operations)
    seen: dict[str, list[Tensor]] = {path: [] for path in paths}
    with context.model.full_precision():
        context.calibration.observe(context.model, operations={
            path: lambda tensor, path=path: seen[path].append(tensor) for path in paths})
        with Capture(context, paths, rows=50) as capture:
            for path in paths:
                inputs = capture.inputs(path)
                every = sum(row_count(context.model.operation(path), tensor) for tensor in seen[path])
                assert inputs.count == min(50 * 10, every)
                low, high = inputs.bounds["input"]
                assert low == min(tensor.min() for tensor in seen[path])
                assert high == max(tensor.max() for tensor in seen[path])
    assert capture.inputs("stem").count == 0, "nothing is left on the disk"
    # A batch of two pictures keeps at most 100 rows a call; the widest (head) has 128 elements.
    assert max(held) <= 3 * 100 * 72
    assert len(seen["shared"]) == 15


def test_a_network_with_many_rows_is_captured_in_one_pass() -> None:
    def passes(**options: Any) -> int:
        context = pyramid_context(images=4, batch_size=4)
        seen = 0

        def count(*_: Any) -> None:
            nonlocal seen
            seen += 1

        context.model.operation("stem").register_forward_pre_hook(count)
        run_method(context, search={"candidates": 2, "iterations": 1, **options})
        return seen

    context = pyramid_context(images=2)
    paths = list(context.model.operations)
    assert leaves_rows_out(context, paths, 1300), "1024 + 256 + 64 positions of three levels"
    assert not leaves_rows_out(context, paths, 2000)
    assert not leaves_rows_out(context, paths, 0)
    looks = 2  # the order of the operations, and the rows of each
    assert passes(rows=100) == looks + 1
    assert passes(rows=0, order="sequential") == passes(rows=100, sampled_order="sequential") == looks + 4


def test_search_on_a_sample_comes_close_to_the_search_on_everything() -> None:
    def scales(rows: int) -> dict[str, float]:
        model = run_method(pyramid_context(images=6), search={"rows": rows, "sampled_rows": 1800, "order": "parallel"})
        return {path: float(quantizer.scale) for path, quantizer in model.quantizers.items()}

    everything, sample = scales(0), scales(300)
    assert everything != sample
    assert sample == pytest.approx(everything, rel=0.15)


def test_the_sample_does_not_grow_with_the_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    search = AlternatingSearch._search

    def counted(self: AlternatingSearch, context: Any, path: str, capture: Capture) -> State:
        counts.append(capture.inputs(path).count)
        return search(self, context, path, capture)

    monkeypatch.setattr(AlternatingSearch, "_search", counted)
    for images in (2, 10):
        run_method(pyramid_context(images), search={"rows": 100, "sampled_rows": 120, "candidates": 2})
    heads = [2 * 3, 10 * 3]  # a row for each region: never more than there are
    assert sorted(counts) == sorted([120] * 6 + heads)


def test_weight_candidates_of_wide_layers_need_no_gram_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    from ptqvit_cases import inputs_of

    torch.manual_seed(0)
    model = instrument(nn.Sequential(nn.Linear(24, 10)), {})
    quantizers, chunks = symmetric(model), [(torch.randn(3, 40, 24),)]
    problem = Layer(model.operation("0"), quantizers, inputs_of(quantizers, chunks, model.operation("0")))
    factors = [0.6, 0.9, 1.1]
    (by_gram,) = (measure(factors) for measure in problem.blocks("weight", 0.8))
    monkeypatch.setattr(layer_module, "_WIDEST", 16)
    monkeypatch.setattr(layer_module, "_DIRECT_ROWS", 50)
    blocks = [measure(factors) for measure in problem.blocks("weight", 0.8)]
    assert len(blocks) == 3
    direct = blocks[0] + blocks[1] + blocks[2]
    assert direct.rows == by_gram.rows == 120
    for one, two in zip(direct._tensors, by_gram._tensors, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-3)


def test_blocks_of_an_input_search_are_random_rows() -> None:
    context = pyramid_context(images=2)
    with context.model.full_precision(), Capture(context, ["stem"], rows=0) as capture:
        inputs = capture.inputs("stem")
        ordered = torch.cat([rows for (rows,) in inputs.blocks(small_rows)])
        first, again = (next(inputs.blocks(lambda _: 200, shuffled=True))[0] for _ in range(2))
    assert torch.equal(first, again)
    place = {row.numpy().tobytes(): index for index, row in enumerate(ordered)}
    found = torch.tensor([place[row.numpy().tobytes()] for row in first])
    assert len(found.unique()) == len(first)
    assert 0.3 < float((found < len(ordered) // 2).double().mean()) < 0.7, "from both pictures"
