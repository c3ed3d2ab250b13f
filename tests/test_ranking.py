"""The hinge ranking loss: every form against the list of pairs, values, gradients, ties, limits."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from harness import hinge_ranking_loss, ranking

FORMS = ("quadratic", "sorted")


def by_pairs(reference: Tensor, attention: Tensor, theta: float) -> Tensor:
    """Equation 10 as it is written: one pair after the other."""
    total = torch.zeros((), dtype=attention.dtype)
    for a, b in zip(reference.reshape(-1, reference.shape[-1]), attention.reshape(-1, attention.shape[-1]),
                    strict=True):
        for p, q in itertools.combinations(range(len(a)), 2):
            total = total + torch.relu(theta - (b[p] - b[q]) * torch.sign(a[p] - a[q]))
    return total


def maps(rows: tuple[int, ...], width: int, tied: bool, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    reference = torch.randn(*rows, width, generator=generator, dtype=torch.float64)
    attention = reference + 0.3 * torch.randn(*rows, width, generator=generator, dtype=torch.float64)
    if tied:
        # Eighths are exact: ties of the reference, of the attention, and pairs exactly at the margin.
        reference, attention = (reference * 2).round() / 2, (attention * 8).round() / 8
    return reference, attention


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize(("rows", "width"), [((3, 2), 7), ((2,), 16), ((1,), 2), ((4,), 33)])
def test_value_and_gradient_are_those_of_the_pairs(form: str, tied: bool, rows: tuple[int, ...], width: int) -> None:
    reference, attention = maps(rows, width, tied)
    theta = 0.25
    slow, fast = attention.clone().requires_grad_(), attention.clone().requires_grad_()
    expected = by_pairs(reference, slow, theta)
    found = hinge_ranking_loss(reference, fast, theta, "sum", form=form)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    expected.backward()
    (3 * found).backward()
    torch.testing.assert_close(fast.grad, 3 * slow.grad, rtol=0, atol=1e-10)


@pytest.mark.parametrize("form", FORMS)
def test_vectors_of_the_paper_s_loss(form: str) -> None:
    reference = torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.float64)
    swapped = torch.tensor([[0.7, 0.1, 0.2]], dtype=torch.float64)

    def loss(attention: Tensor, theta: float) -> float:
        return float(hinge_ranking_loss(reference, attention, theta, "sum", form=form))

    assert loss(reference, 0.0) == 0
    assert loss(reference, 0.1) == pytest.approx(0, abs=1e-12)
    assert loss(reference, 0.2) == pytest.approx(0.1, abs=1e-12)
    assert loss(swapped, 0.1) == pytest.approx(0.2, abs=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_ties_of_the_reference_cost_theta_and_pull_nowhere(form: str) -> None:
    attention = torch.randn(2, 9, dtype=torch.float64, requires_grad=True)
    loss = hinge_ranking_loss(torch.zeros(2, 9, dtype=torch.float64), attention, 0.5, form=form)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0.5, abs=1e-12)
    assert not attention.grad.any()


def test_compiled_form_agrees() -> None:
    if not ranking._compiler_works("cpu"):
        assert ranking.choose_form(4096, 197) == "sorted"
        return
    assert ranking.choose_form(4096, 197) == "compiled"
    reference, attention = maps((5,), 70, True)
    fast, slow = attention.clone().requires_grad_(), attention.clone().requires_grad_()
    found = hinge_ranking_loss(reference, fast, 0.25, form="compiled")
    expected = hinge_ranking_loss(reference, slow, 0.25, form="sorted")
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    found.backward()
    expected.backward()
    torch.testing.assert_close(fast.grad, slow.grad, rtol=0, atol=1e-10)


def test_without_a_compiler_the_sorted_form_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    ranking._compiler_works.cache_clear()
    try:
        assert ranking.choose_form(100_000, 197) == "sorted"
    finally:
        ranking._compiler_works.cache_clear()


def test_choice_by_length() -> None:
    assert ranking.choose_form(100_000, 50) == "quadratic"
    assert ranking.choose_form(10, 200) == "sorted", "too little work for a compilation"
    assert ranking.choose_form(100_000, 5_000) == "sorted"


def test_mean_is_over_rows_and_pairs() -> None:
    reference, attention = maps((2, 3), 11, False)
    total = hinge_ranking_loss(reference, attention, 0.2, "sum")
    mean = hinge_ranking_loss(reference, attention, 0.2, "mean")
    assert float(mean) == pytest.approx(float(total) / (6 * 55), abs=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_rows_are_taken_in_chunks(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reference, attention = maps((23,), 12, False)
    whole = hinge_ranking_loss(reference, attention, 0.2, form=form)
    seen: list[int] = []
    kernel = ranking._KERNELS[form]()

    def counting(a: Tensor, *rest: object) -> tuple[Tensor, Tensor]:
        seen.append(len(a))
        return kernel(a, *rest)

    monkeypatch.setattr(ranking, "_PAIRS_AT_ONCE", 5 * 12 ** 2)
    monkeypatch.setitem(ranking._KERNELS, form, lambda: counting)
    assert float(hinge_ranking_loss(reference, attention, 0.2, form=form)) == pytest.approx(float(whole), abs=1e-12)
    assert seen == [5, 5, 5, 5, 3]


def test_nothing_to_order() -> None:
    lonely = torch.ones(4, 1, requires_grad=True)
    loss = hinge_ranking_loss(lonely.detach(), lonely)
    loss.backward()
    assert float(loss.detach()) == 0
    assert not lonely.grad.any()


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        hinge_ranking_loss(torch.ones(2, 3), torch.ones(3, 2))
    with pytest.raises(ValueError, match="negative"):
        hinge_ranking_loss(torch.ones(2, 3), torch.ones(2, 3), theta=-1)
