"""The exact choice against all choices."""

from __future__ import annotations

import itertools

import pytest
import torch

from harness import QuantizationError, least_sum_within


def test_the_choice_is_the_best_of_all() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(40):
        sizes = torch.randint(1, 5, (5,), generator=generator).tolist()
        penalties = [torch.rand(size, generator=generator, dtype=torch.float64).tolist() for size in sizes]
        costs = [torch.randint(1, 9, (size,), generator=generator).double().tolist() for size in sizes]
        least, most = sum(map(min, costs)), sum(map(max, costs))
        budget = least + 0.4 * (most - least)
        chosen = least_sum_within(penalties, costs, budget)
        every = [choice for choice in itertools.product(*(range(size) for size in sizes))
                 if sum(row[i] for row, i in zip(costs, choice, strict=True)) <= budget]
        best = min(sum(row[i] for row, i in zip(penalties, choice, strict=True)) for choice in every)
        assert tuple(chosen) in every
        assert sum(row[i] for row, i in zip(penalties, chosen, strict=True)) == pytest.approx(best, abs=1e-12)


def test_the_unit_of_penalties_and_costs_does_not_matter() -> None:
    penalties, costs = [[3.0, 2.0, 0.5], [4.0, 1.0, 0.9]], [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]
    assert least_sum_within(penalties, costs, 5) == [2, 1]
    for factor in (1e-12, 1e12):
        assert least_sum_within([[factor * p for p in row] for row in penalties], costs, 5) == [2, 1]
        assert least_sum_within(penalties, [[factor * c for c in row] for row in costs], 5 * factor) == [2, 1]


def test_of_equal_penalties_the_cheaper_is_chosen() -> None:
    assert least_sum_within([[0.0, 0.0], [0.0, 0.0]], [[2.0, 1.0], [1.0, 2.0]], 4) == [1, 0]


def test_of_equal_choices_the_first_is_taken() -> None:
    assert least_sum_within([[1.0, 1.0, 2.0], [0.0]], [[1.0, 1.0, 0.5], [1.0]], 2) == [0, 0]


def test_a_budget_that_only_the_cheapest_meets() -> None:
    assert least_sum_within([[1.0, 0.0], [1.0, 0.0]], [[1.0, 2.0], [1.0, 2.0]], 2) == [0, 0]


def test_an_impossible_budget_is_named() -> None:
    with pytest.raises(QuantizationError, match=r"1\.5 cannot be met: the cheapest choice costs 2"):
        least_sum_within([[1.0], [1.0]], [[1.0], [1.0]], 1.5)
