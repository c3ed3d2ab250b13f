"""IGQ-ViT as a whole, on a tiny vision transformer and a tiny Swin."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
import torch
from igqvit_cases import SHORT, context_of, divergence, igqvit, outputs_of, quantized, tiny_swin, tiny_vit
from torch import Tensor

from harness import HarnessError, OptionError, QuantizationError, Uniform
from harness.registry import registry
from harness_plugins.igqvit.bops import group_bops
from harness_plugins.igqvit.options import GroupSearchOptions
from harness_plugins.igqvit.perturbation import perturbations
from harness_plugins.igqvit.quantizer import InstanceGroups
from harness_plugins.igqvit.ranges import Percentiles, default_eps

ILP: dict[str, Any] = {"alloc": "ilp", "iterations": 6, "allocate_every": 3, "groups_set": [1, 3, 6]}


def test_placement_is_the_papers() -> None:
    model, _ = quantized(tiny_vit())
    described = {path: model.quantizer(path).describe() for path in model.sites}
    for path, site in model.sites.items():
        granularity, bits = described[path]["granularity"], described[path]["bits"]
        if site.is_weight:
            assert (granularity, bits) == ("channel", 4)
        elif site.role == "patch_embed":
            assert (granularity, bits) == ("tensor", 8)
        elif site.role == "head":  # its input is one token a picture
            assert (granularity, bits) == ("tensor", 4)
        elif site.operand == "input":
            assert (granularity, bits, described[path]["groups"]) == ("instance groups (channels)", 4, 3)
        elif site.operand == "attention":
            assert (granularity, described[path]["groups"]) == ("instance groups (rows)", 3)
        else:
            assert (granularity, bits) == ("tensor", 4)


def test_inputs_of_one_token_have_one_range_unless_asked() -> None:
    """Groups of single values clip half of their members, so that more bits do not help; one range does not."""
    errors = {}
    for choice in ("layer", "groups"):
        context, method = context_of(tiny_vit(), "8/8"), igqvit(single_token=choice)
        method.place(context)
        method.calibrate(context)
        head = context.model.quantizer("head.input")
        assert isinstance(head, InstanceGroups) == (choice == "groups")
        features = torch.randn(64, 12)
        errors[choice] = float((head(features) - features).abs()[features.abs() < 0.5].max())
    assert errors["layer"] < errors["groups"] / 4


def test_swin_is_grouped_by_window_and_keeps_its_predictions_at_8_bits() -> None:
    context, method = context_of(tiny_swin(), "8/8", size=32), igqvit()
    reference = outputs_of(context)
    method.place(context)
    method.calibrate(context)
    assert context.model.quantizer("layers.1.downsample.reduction.input").describe()["dynamic"]
    assert 0 < divergence(reference, outputs_of(context)) < 0.01
    groups = context.model.quantizer("layers.0.blocks.0.attn.qkv.input").assign(  # type: ignore[operator]
        torch.randn(8, 16, 12))
    assert groups.shape == (8, 1, 12)


def test_groups_are_nearer_to_full_precision_than_layers_and_further_than_the_upper_bound() -> None:
    reference = outputs_of(context_of(tiny_vit()))
    errors = []
    for options in ({"channels": "per_channel", "rows": "per_row"}, {"g": 8}, {"channels": "layer", "rows": "layer"}):
        _, context = quantized(tiny_vit(), "8/4", **options)
        errors.append(float(divergence(reference, outputs_of(context))))
    assert errors == sorted(errors)


@pytest.mark.parametrize("options", [
    {"channels": "static_consecutive", "rows": "layer"}, {"channels": "layer"}, {"rows": "per_row"},
    {"distance": "l1_minmax"}, {"distance": "range_only"}, {"softmax_lower": "learned"}, {"static_range": "mse"},
    {"search": SHORT["search"] | {"alloc": "greedy", "groups_set": [1, 3, 6]}},
    {"search": ILP | {"metric": "mse", "images": 2}}, {"search": ILP | {"others": "fp"}}])
def test_every_switch_runs_and_changes_the_model(options: dict[str, Any]) -> None:
    _, plain = quantized(tiny_vit())
    _, context = quantized(tiny_vit(), **options)
    outputs = outputs_of(context)
    assert outputs.isfinite().all()
    assert not torch.equal(outputs, outputs_of(plain))


def test_every_ablation_of_the_description_is_valid() -> None:
    for options in registry().methods["igqvit"].ablations.values():
        igqvit(**options)


def test_head_stem_bits_cover_weights_and_inputs() -> None:
    model, _ = quantized(tiny_vit(), head_stem_bits=6)
    bits = {path: model.quantizer(path).describe()["bits"] for path, site in model.sites.items()
            if site.role in ("head", "patch_embed")}
    assert bits == {"patch_embed.proj.weight": 6, "patch_embed.proj.input": 6, "head.weight": 6, "head.input": 6}


def test_calibration_is_reproducible() -> None:
    first, second = (outputs_of(quantized(tiny_vit())[1]) for _ in range(2))
    assert torch.equal(first, second)


def test_search_refines_the_objective_of_eq_6() -> None:
    """Bounds found are far nearer to the channels' extremes than one group."""
    def objective(g: int) -> float:
        model, context = quantized(tiny_vit(), g=g, search=SHORT["search"] | {"iterations": 60})
        quantizer = model.quantizer("blocks.0.mlp.fc1.input")
        assert isinstance(quantizer, InstanceGroups)
        total = 0.0

        def see(tensor: Tensor) -> None:
            nonlocal total
            points = torch.stack((tensor.amax(1), tensor.amin(1)), -1).reshape(-1, 2)
            total += float(torch.cdist(points, torch.stack(quantizer.bounds, -1)).amin(1).square().sum())
        context.calibration.observe(model, sites={"blocks.0.mlp.fc1.input": see})
        return total
    assert objective(6) < 0.2 * objective(1)


def test_algorithm_1_by_hand_where_nothing_before_is_grouped() -> None:
    """One group: the mean of k-means' points (full precision) and of the points of every drawn image (quantized)."""
    path = "blocks.0.attn.qkv.input"
    model, context = quantized(tiny_vit(), g=1, search={"alloc": "uniform", "iterations": 7, "allocate_every": 3})
    points: list[Tensor] = []

    def see(tensor: Tensor) -> None:
        points.extend(torch.stack((tensor.amax(1), tensor.amin(1)), -1))
    context.calibration.observe(model, sites={path: see})
    with model.full_precision():
        context.calibration.observe(model, sites={path: see})
    draws = torch.randint(6, (7,), generator=torch.Generator().manual_seed(0)).tolist()
    used = [points[6 + image] for image in sorted(set(draws))] + [points[image] for image in draws]
    quantizer = model.quantizer(path)
    assert isinstance(quantizer, InstanceGroups)
    torch.testing.assert_close(torch.cat(quantizer.bounds), torch.cat(used).mean(0))


def test_ilp_keeps_the_budget_and_chooses_from_the_set() -> None:
    model, context = quantized(tiny_vit(), search=ILP)
    chosen = context.notes["groups"]
    assert set(chosen.values()) <= {1, 3, 6}
    assert len(set(chosen.values())) > 1
    grouped = {path: q for path, q in model.quantizers.items() if isinstance(q, InstanceGroups)}
    assert chosen == {path: quantizer.groups for path, quantizer in grouped.items()}
    points = {path: 51.0 if quantizer.axis == "rows" else float(model.sites[path].layout.channels or 0)
              for path, quantizer in grouped.items()}
    bops = group_bops(context, grouped, points, (1, 3, 6))
    assert sum(bops[path][chosen[path]] for path in grouped) <= sum(bops[path][3] for path in grouped)


def test_a_budget_that_no_choice_meets_is_an_error() -> None:
    with pytest.raises(QuantizationError, match="cheapest allocation needs"):
        quantized(tiny_vit(), g=2, search=ILP | {"groups_set": [4, 8]})


@pytest.mark.parametrize("others", ["quantized", "fp"])
@pytest.mark.parametrize(("build", "size"), [(tiny_vit, 16), (tiny_swin, 32)])
def test_perturbation_equals_plain_forwards(others: str, build: Any, size: int) -> None:
    """Eq. (9) by whole forwards, against the search's replayed ones."""
    model, context = quantized(build(), size=size)
    grouped = {path: q for path, q in model.quantizers.items() if isinstance(q, InstanceGroups)}
    other = {path: (quantizer.upper[:2] * 0.7, quantizer.lower[:2] * 0.7) for path, quantizer in grouped.items()}
    candidates = {path: {3: quantizer.bounds, 2: other[path]} for path, quantizer in grouped.items()}
    before = outputs_of(context)
    psi = perturbations(context, grouped, candidates, GroupSearchOptions(others=others, images=5))  # type: ignore[arg-type]
    assert torch.equal(outputs_of(context), before)  # all as it was

    every = set(model.sites) if others == "fp" else set()
    for path, quantizer in grouped.items():
        own = {site.path for site in model.sites_of(model.sites[path].operation).values()}
        with model.full_precision(every | own):
            reference = outputs_of(context)[:5]
        for groups, bounds in candidates[path].items():
            quantizer.set_bounds(*bounds)
            with model.full_precision(every - own):
                expected = divergence(reference, outputs_of(context)[:5])
            assert psi[path][groups] == pytest.approx(float(expected), rel=1e-3, abs=1e-9)
            assert psi[path][groups] >= 0
        quantizer.set_bounds(*candidates[path][3])


def test_percentiles() -> None:
    weight = torch.randn(6, 101)
    quantizer = Uniform(context_of(tiny_vit()).model.sites["blocks.0.mlp.fc1.weight"].layout.partition("channel"), 4)
    partition = type(quantizer.partition).along(torch.arange(6), -2, "channel")
    exact = Percentiles(partition, 0.0)
    exact.observe(weight)
    assert torch.equal(torch.stack(exact.range()), torch.stack((weight.amin(1), weight.amax(1))))
    tenth = Percentiles(partition, 10.0)
    tenth.observe(weight)
    ordered = weight.sort(1).values  # 101 values: the 10th percentile is the 11th smallest
    torch.testing.assert_close(torch.stack(tenth.range()), torch.stack((ordered[:, 10], ordered[:, 90])))


def test_default_eps_is_the_papers_in_percent() -> None:
    assert [default_eps(bits) for bits in (4, 6, 8)] == pytest.approx([5e-2, 1e-3, 2e-5])


def test_eps_units_agree() -> None:
    _, percent = quantized(tiny_vit(), eps=5.0)
    _, fraction = quantized(tiny_vit(), eps=0.05, eps_unit="fraction")
    assert torch.equal(outputs_of(percent), outputs_of(fraction))
    with pytest.raises(QuantizationError, match="nothing is left"):
        quantized(tiny_vit(), eps=0.5, eps_unit="fraction")


@pytest.mark.parametrize(("options", "error"), [
    ({"channels": "sideways"}, OptionError), ({"g": 0}, OptionError),
    ({"search": {"name": "instance_groups", "allocate_every": 0}}, OptionError),
    ({"activations": "instance_groups", "channels": "layer", "weights": "instance_groups"}, QuantizationError)])
def test_mistakes(options: dict[str, Any], error: type[HarnessError]) -> None:
    with pytest.raises(error):
        quantized(tiny_vit(), **options)


def test_search_without_groups_says_so() -> None:
    context = context_of(tiny_vit())
    igqvit(channels="layer", rows="layer").place(context)
    with pytest.raises(QuantizationError, match="found no site"):
        context.search(igqvit().options.search)


def test_published_rows() -> None:
    rows = list(csv.DictReader(io.StringIO(registry().published(registry().methods["igqvit"]))))
    found = {(row["model"], row["method"], row["bits"]): float(row["value"]) for row in rows
             if row["table"] == "Table 2"}
    assert len(found) == len([row for row in rows if row["table"] == "Table 2"]) == 9 + 2 * (8 + 8 + 7 + 5 * 9)
    assert found["DeiT-T", "igqvit", "4/4"] == 62.25
    assert found["Swin-B", "igqvit:upper bound", "6/6"] == 85.06
