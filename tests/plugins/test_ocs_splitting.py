"""Splitting against the specification's vectors, a slow copy of the algorithm, and the identities that it rests on."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from harness_plugins.ocs.splitting import SplitTable, split_channels, split_weight

WEIGHT = torch.tensor([[1, -4, .5], [2, 3, -.5]])
INPUT = torch.tensor([1., 2., 3.])


def slow_split(weight: Tensor, splits: int, step: float | None, partial: float = 0.0) -> tuple[Tensor, list[int]]:
    """The algorithm as it stands, on a list of columns; ``step`` ``None``: naive."""
    columns, index = [weight[:, j].clone() for j in range(weight.shape[1])], list(range(weight.shape[1]))
    for _ in range(splits):
        peaks = [float(column.abs().max()) for column in columns]
        j = peaks.index(max(peaks))
        shift = 0.0 if step is None else step / 4
        left, right = columns[j] / 2 - shift, columns[j] / 2 + shift
        if partial:
            whole = columns[j].abs() <= partial * peaks[j]
            left, right = torch.where(whole, columns[j], left), torch.where(whole, torch.zeros_like(right), right)
        columns[j] = left
        columns.append(right)
        index.append(index[j])
    return torch.stack(columns, 1), index


def random_weight(outputs: int = 7, inputs: int = 11, seed: int = 0) -> Tensor:
    return torch.randn(outputs, inputs, generator=torch.Generator().manual_seed(seed)) ** 3


def expanded_product(table: SplitTable, weight: Tensor, values: Tensor, step: float = 0.0) -> Tensor:
    return table.expand(weight, step) @ values[table.index]


def test_the_vector_of_the_specification() -> None:
    table = split_weight(WEIGHT, -1, 2, "naive")
    assert table.index.tolist() == [0, 1, 2, 1, 0]  # channel 1 was picked first, then 0
    expected = torch.tensor([[.5, -2, .5, -2, .5], [1, 1.5, -.5, 1.5, 1]])
    assert torch.equal(table.expand(WEIGHT), expected)
    assert expanded_product(table, WEIGHT, INPUT).tolist() == (WEIGHT @ INPUT).tolist() == [-5.5, 6.5]
    assert (float(WEIGHT.abs().max()), float(table.expand(WEIGHT).abs().max())) == (4, 2)
    assert table.expansion == 5 / 3


@pytest.mark.parametrize("partial", [0.0, 0.3])
@pytest.mark.parametrize("step", [None, 0.37])
@pytest.mark.parametrize("splits", [0, 1, 5, 11])
def test_against_a_slow_copy(splits: int, step: float | None, partial: float) -> None:
    weight = random_weight()
    table = split_weight(weight, -1, splits, "naive" if step is None else "qa", step or 0.0, partial)
    columns, index = slow_split(weight, splits, step, partial)
    torch.testing.assert_close(table.expand(weight, step or 0.0), columns)
    assert table.index.tolist() == index
    assert table.expansion == (11 + splits) / 11


def test_a_copy_is_split_again() -> None:
    weight = torch.tensor([[16., 1], [8., 1]])
    table = split_weight(weight, -1, 3, "naive")
    assert table.source.tolist() == [0, 0, 0]
    assert table.expand(weight)[0].tolist() == [4, 1, 4, 4, 4]
    # Apart by half a step, the second half is the larger one and is picked first.
    assert split_weight(weight, -1, 3, "qa", 1.0).offset[0].tolist() == [-.375, 0, -.125, .375, .125]


@pytest.mark.parametrize("mode", ["naive", "qa"])
@pytest.mark.parametrize("partial", [0.0, 0.5])
@pytest.mark.parametrize("ratio", [0.02, 0.1, 0.5, 1.0])
def test_the_expanded_layer_computes_the_same(mode: str, partial: float, ratio: float) -> None:
    weight = random_weight(inputs=50)
    values = torch.randn(50, generator=torch.Generator().manual_seed(1))
    table = split_weight(weight, -1, round(ratio * 50), mode, 0.1, partial)  # type: ignore[arg-type]
    torch.testing.assert_close(expanded_product(table, weight, values, 0.1), weight @ values, rtol=0, atol=1e-5)
    torch.testing.assert_close(table.merge(table.expand(weight, 0.1)), weight, rtol=1e-6, atol=1e-6)


def test_channels_lie_along_the_axis_that_is_named() -> None:
    weight = random_weight(6, 4 * 3 * 3).reshape(6, 4, 3, 3)
    table = split_weight(weight, -3, 3, "qa", 0.2)
    as_matrix = split_weight(weight.movedim(1, 3).reshape(-1, 4), -1, 3, "qa", 0.2)
    assert table.source.tolist() == as_matrix.source.tolist()
    assert torch.equal(table.expand(weight, 0.2).movedim(1, 3).reshape(-1, 7),
                       as_matrix.expand(weight.movedim(1, 3).reshape(-1, 4), 0.2))


def rounded(values: Tensor) -> Tensor:
    """floor(v + 1/2), for which the identity of quantization-aware splitting holds at ties too."""
    return (values + .5).floor()


def test_quantization_aware_halves_add_no_rounding_error() -> None:
    values = torch.tensor([[-4.3, -.5, .2, .5, 1.5, 2.49, 2.5, 3.7]]).T  # one channel, in grid units
    aware, naive = (split_weight(values, -1, 1, mode, 1.0) for mode in ("qa", "naive"))  # type: ignore[arg-type]
    expected = [-4., 0, 0, 1, 2, 2, 3, 4]
    assert aware.merge(rounded(aware.expand(values, 1.0))).flatten().tolist() == expected
    assert rounded(values).flatten().tolist() == expected
    assert naive.merge(rounded(naive.expand(values, 1.0))).flatten().tolist() == [-4, 0, 0, 0, 2, 2, 2, 4]


@pytest.mark.parametrize("splits", [1, 2, 5])
def test_nor_do_halves_of_halves(splits: int) -> None:
    values = random_weight(400, 1) * 3
    table = split_weight(values, -1, splits, "qa", 1.0)
    assert len(table.source) == splits
    assert torch.equal(table.merge(table.expand(values, 1.0).round()), values.round())


def test_naive_halves_may_err_by_a_whole_step() -> None:
    values = torch.tensor([[.99], [2.99]])
    table = split_weight(values, -1, 1, "naive")
    errors = table.merge(table.expand(values).round()) - values.round()
    assert errors.flatten().tolist() == [-1, 1] or errors.flatten().abs().max() == 1


def test_partial_splitting_leaves_small_weights_whole() -> None:
    weight = torch.tensor([[8., 1], [-2, 1], [-6, 1]])
    table = split_weight(weight, -1, 1, "naive", partial=0.25)  # up to 2 stays whole
    assert table.expand(weight)[:, 0].tolist() == [4, -2, -3]
    assert table.expand(weight)[:, 2].tolist() == [4, 0, -3]
    # The largest *absolute* weight counts: with the signed maximum of the official code, -8 would halve nothing.
    assert split_weight(-weight, -1, 1, "naive", partial=0.25).expand(-weight)[:, 2].tolist() == [-4, 0, 3]


def test_the_threshold_never_rises_with_more_splits() -> None:
    weight = random_weight(inputs=30)
    peaks = [float(split_weight(weight, -1, splits, "naive").expand(weight).abs().max()) for splits in range(31)]
    assert peaks == sorted(peaks, reverse=True)
    assert peaks[-1] < .5 * peaks[0]


def test_activations_are_halved_once_each() -> None:
    values = torch.tensor([[1., 2, 3, 5], [-4, 4, 0, 1]])
    table = split_channels(4, torch.tensor([3, 1]), -1, "naive")
    assert table.expand(values).tolist() == [[1, 1, 3, 2.5, 2.5, 1], [-4, 2, 0, .5, .5, 2]]
    assert torch.equal(table.merge(table.expand(values)), values)
    aware = split_channels(4, torch.tensor([3, 1]), -1, "qa")
    assert aware.expand(values, 1.0)[0].tolist() == [1, .75, 3, 2.25, 2.75, 1.25]
    assert torch.equal(aware.merge(aware.expand(values, 1.0)), values)


def test_channels_of_pictures_lie_third_from_the_end() -> None:
    values = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    table = split_channels(3, torch.tensor([2]), -3, "naive")
    assert torch.equal(table.expand(values), torch.cat((values[:, :2], values[:, 2:] / 2, values[:, 2:] / 2), 1))


def test_an_index_of_a_table_says_what_to_gather() -> None:
    table = replace(split_channels(3, torch.tensor([0]), -1, "naive"), source=torch.tensor([2]))
    assert table.index.tolist() == [0, 1, 2, 2]
