"""IGQ-ViT's search: k-means, running means, the ILP of Eq. (10), BOPs, and replayed forwards of Eq. (9)."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from igqvit_cases import context_of, igqvit, tiny_vit
from torch import Tensor

from harness import Operand, Operation, QuantizationError
from harness_plugins.igqvit.allocation import solve_greedily, solve_ilp
from harness_plugins.igqvit.bops import layer_bops
from harness_plugins.igqvit.instances import leading_axes
from harness_plugins.igqvit.kmeans import kmeans, reach, running_mean

PSI = {"first": {4: 0.5, 8: 0.2, 12: 0.1}, "second": {4: 0.9, 8: 0.6, 12: 0.55}}
BOPS = {"first": {4: 1, 8: 2, 12: 3}, "second": {4: 2, 8: 4, 12: 6}}


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("budget", "chosen", "value"), [
    (3, (4, 4), 1.4), (4, (8, 4), 1.1), (5, (12, 4), 1.0), (6, (8, 8), 0.8), (7, (12, 8), 0.7), (9, (12, 12), 0.65)])
def test_ilp_vectors(budget: float, chosen: tuple[int, int], value: float) -> None:
    found = solve_ilp(PSI, BOPS, budget)
    assert tuple(found[layer] for layer in PSI) == chosen
    assert sum(PSI[layer][groups] for layer, groups in found.items()) == pytest.approx(value)


@pytest.mark.parametrize("solve", [solve_ilp, solve_greedily])
def test_a_budget_below_the_minimum_is_an_error_with_the_numbers(solve) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(QuantizationError, match=r"budget of 2\.9 .* needs 3"):
        solve(PSI, BOPS, 2.9)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("base", [0, 1_000_000_000])
def test_ilp_equals_trying_everything(seed: int, base: int) -> None:
    """Also with BOPs of 1e9 and differences of 1e6: the solver's tolerance must not break the budget."""
    draw, choices = torch.Generator().manual_seed(seed), (1, 4, 8, 12)
    layers = [f"layer {i}" for i in range(4)]
    psi = {layer: dict(zip(choices, torch.rand(4, generator=draw).tolist(), strict=True)) for layer in layers}
    steps = torch.randint(900_000, 1_300_000, (4,), generator=draw).tolist()
    bops = {layer: {groups: base + step * groups for groups in choices}
            for layer, step in zip(layers, steps, strict=True)}
    budget = sum(bops[layer][4] for layer in layers)

    def cost(pick: tuple[int, ...]) -> int:
        return sum(bops[layer][groups] for layer, groups in zip(layers, pick, strict=True))

    def loss(pick: tuple[int, ...]) -> float:
        return sum(psi[layer][groups] for layer, groups in zip(layers, pick, strict=True))

    best = min((pick for pick in product(choices, repeat=4) if cost(pick) <= budget), key=loss)
    found = tuple(solve_ilp(psi, bops, budget)[layer] for layer in layers)
    assert cost(found) <= budget
    assert loss(found) == pytest.approx(loss(best))
    greedy = tuple(solve_greedily(psi, bops, budget)[layer] for layer in layers)
    assert cost(greedy) <= budget
    assert loss(best) <= loss(greedy) + 1e-12


def test_greedy_buys_the_best_upgrade_first() -> None:
    assert solve_greedily(PSI, BOPS, 4) == {"first": 8, "second": 4}
    assert solve_greedily(PSI, BOPS, 9) == {"first": 12, "second": 12}


def _operation(operand: str) -> Operation:
    operands = (Operand("s", operand, 197 * 192, "uniform", 4, "instance groups", 8, True),
                Operand("w", "other", 192 * 576, "uniform", 6, "channel", 576, False))
    return Operation("qkv", "linear", "qkv", 0, 197 * 192 * 576, 197 * 576, 192, 197, operands)


def test_bops_of_a_grouped_linear_layer() -> None:
    expected = 4 * 6 * 197 * 192 * 576 + 7 * 197 * 576 * 32 + 2 * 197 * 192 * 32 + 192 * 8 * 5 * 32
    assert layer_bops(_operation("input"), "input", 8, 192) == expected


def test_bops_of_grouped_rows_have_no_sums_over_groups() -> None:
    expected = 4 * 6 * 197 * 192 * 576 + 2 * 197 * 192 * 32 + 591 * 8 * 5 * 32
    assert layer_bops(_operation("attention"), "attention", 8, 591) == expected


@pytest.fixture
def clouds() -> Tensor:
    """Two sites, each with three clear clouds of 40 points."""
    middles = torch.tensor([[[1.0, -1.0], [5.0, 0.0], [2.0, -8.0]], [[10.0, -1.0], [5.0, -5.0], [0.5, 0.0]]])
    noise = 0.1 * torch.randn(2, 3, 40, 2, generator=generator())
    return (middles[:, :, None] + noise).flatten(1, 2)


def test_kmeans_finds_clear_clouds(clouds: Tensor) -> None:
    centres, counts = kmeans(clouds, 3, "l2_minmax", generator())
    assert counts.tolist() == [[40.0] * 3] * 2
    for site in range(2):
        means = clouds[site].reshape(3, 40, 2).mean(1)
        order = torch.cdist(means, centres[site]).argmin(1)
        torch.testing.assert_close(centres[site][order], means)


def test_kmeans_with_more_groups_than_distinct_points() -> None:
    points = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [2.0, 0.0]]])
    centres, counts = kmeans(points, 5, "l2_minmax", generator())
    assert centres.isfinite().all()
    assert counts.sum() == 3
    assert {1.0, 2.0} == set(centres[0, :, 0].tolist())


def test_running_mean_vectors() -> None:
    """Members 2 of 2 + 2 seen: half of the way; a group without members stays."""
    centres, counts = torch.tensor([[[1.0, 0.0], [9.0, -9.0]]]), torch.tensor([[2.0, 5.0]])
    moved, seen = running_mean(torch.tensor([[[2.0, -1.0], [4.0, -3.0]]]), centres, counts, "l2_minmax")
    assert moved.tolist() == [[[2.0, -1.0], [9.0, -9.0]]]
    assert seen.tolist() == [[4.0, 5.0]]


def test_running_mean_is_the_mean_of_all_points_that_were_assigned() -> None:
    images = torch.randn(20, 1, 30, 2, generator=generator())
    centres, counts = torch.zeros(1, 1, 2), torch.zeros(1, 1)
    for image in images:
        centres, counts = running_mean(image, centres, counts, "l2_minmax")
    torch.testing.assert_close(centres[0, 0], images.reshape(-1, 2).mean(0))
    assert counts.item() == 600


def test_ranges_reach_every_member_of_a_group() -> None:
    torch.manual_seed(0)
    points = torch.stack([torch.rand(60) * 4, -torch.rand(60)], dim=1)
    centres = (torch.tensor([1.0, 3.0]), torch.tensor([-0.5, -0.5]))
    upper, lower = reach(points, centres, "l2_minmax")
    for group in (0, 1):
        nearer = (points - torch.stack(centres, 1)[group]).square().sum(1) < (
            points - torch.stack(centres, 1)[1 - group]).square().sum(1)
        assert upper[group] == points[nearer, 0].max()
        assert lower[group] == points[nearer, 1].min()
    empty = reach(points[:0], centres, "l2_minmax")
    assert torch.equal(empty[0], centres[0])
    assert torch.equal(empty[1], centres[1])


@pytest.mark.parametrize(("kind", "chosen", "clips"), [
    ("classification", None, True), ("detection", None, False),
    ("classification", "members", False), ("detection", "centre", True)])
def test_what_a_groups_scale_covers(kind: str, chosen: str | None, clips: bool) -> None:
    """With the members' extremes nothing of the calibration set is clipped; with centres about half of the extremes."""
    context = context_of(tiny_vit(), "8/8")
    context.kind = kind
    method = igqvit(g=2, search={"name": "instance_groups", "options": {
        "alloc": "uniform", "group_range": chosen, "iterations": 20, "allocate_every": 10}})
    method.place(context)
    method.calibrate(context)
    path = "blocks.0.mlp.fc1.input"
    quantizer = context.model.quantizer(path)
    seen: list[torch.Tensor] = []
    with context.model.baked():
        context.calibration.observe(context.model, sites={path: seen.append})
        largest = torch.cat(seen)
        error = (quantizer(largest) - largest).abs().max().item()
    step = quantizer.scale.max().item()  # type: ignore[union-attr, operator]
    assert (error > 2 * step) == clips


def test_instances_are_found_where_the_batch_axis_lies() -> None:
    """DETR stacks its decoder layers before the batch; windows and regions are entries of the batch."""
    for shape, leading in (((1, 17, 12), 1), ((1, 8, 8, 12), 1), ((6, 1, 100, 12), 2), ((64, 49, 12), 1),
                           ((300, 12), 1), ((1, 12), 1)):
        assert leading_axes(torch.Size(shape)) == leading
