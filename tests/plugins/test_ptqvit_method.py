"""The method ptqvit as a whole, on a tiny random ViT."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
import torch
from ptqvit_cases import inputs_of, run_method, vit_context
from torch import Tensor

from harness import Choice, Identity, OptionError, QuantizationError, Uniform, hinge_ranking_loss
from harness.registry import registry
from harness_plugins.ptqvit.inputs import Inputs
from harness_plugins.ptqvit.options import RankingOptions
from harness_plugins.ptqvit.product import Product
from harness_plugins.ptqvit.ranked import Ranking
from harness_plugins.ptqvit.store import Store


def options(**given: Any) -> dict[str, Any]:
    return {"search": {"candidates": 20} | given}


@pytest.mark.parametrize("order", ["parallel", "block", "sequential"])
def test_every_site_gets_a_signed_interval(order: str) -> None:
    context = vit_context()
    model = run_method(context, **options(order=order))
    for path, quantizer in model.quantizers.items():
        assert isinstance(quantizer, Uniform), path
        assert (quantizer.scheme, quantizer.partition.slots) == ("symmetric", 1)
        assert float(quantizer.scale) != 1, path
        assert quantizer.enabled
    assert set(context.notes["alternating"]) == set(model.operations)
    assert torch.isfinite(model(torch.randn(2, 3, 16, 16))).all()


def test_search_beats_the_full_range() -> None:
    def error(**given: Any) -> float:
        context = vit_context("4/4", 12)
        inputs = torch.cat(list(context.calibration.batches()))
        with torch.no_grad():
            with context.model.full_precision():
                reference = context.model(inputs)
            return float((run_method(context, **given)(inputs) - reference).square().mean())

    assert error(**options()) < error(search={"alpha": 1, "beta": 1, "candidates": 1, "bias_correction": False})


def test_bias_of_the_first_layer_removes_its_mean_error() -> None:
    context = vit_context("4/4", 12)
    path, outputs = "patch_embed.proj", {}
    for key in ("exact", "quantized"):
        model = context.model
        operation, seen = model.operation(path), []
        if key == "quantized":
            run_method(context, **options())
        hook = operation.register_forward_hook(lambda m, i, o, seen=seen: seen.append(o))
        list(context.calibration.responses(model))
        hook.remove()
        outputs[key] = torch.cat(seen).double()
    drift = (outputs["quantized"] - outputs["exact"]).mean((0, 2, 3))
    assert float(drift.abs().max()) < 2e-6
    assert float((outputs["quantized"] - outputs["exact"]).abs().max()) > 1e-2


def test_head_can_stay_in_full_precision() -> None:
    model = run_method(vit_context(), quantize_head=False, **options(candidates=3))
    assert isinstance(model.quantizer("head.weight"), Identity)
    assert isinstance(model.quantizer("head.input"), Identity)


def test_weights_only() -> None:
    model = run_method(vit_context("4/32"), **options(candidates=3))
    assert isinstance(model.quantizer("blocks.0.attn.query"), Identity)
    assert isinstance(model.quantizer("blocks.0.attn.qkv.weight"), Uniform)


def test_ranking_changes_the_choice_of_scores_alone() -> None:
    def scales(ranking: dict[str, Any]) -> dict[str, float]:
        model = run_method(vit_context(), **options(ranking=ranking, order="parallel"))
        return {path: float(quantizer.scale) for path, quantizer in model.quantizers.items()}

    without, strong = scales({"enabled": False}), scales({"gamma": 100.0, "rows": 0})
    changed = {path for path in without if without[path] != strong[path]}
    assert changed
    assert {path.rpartition(".")[2] for path in changed} <= {"query", "key"}


@pytest.mark.parametrize("on", ["scores", "softmax"])
def test_ranking_of_all_rows_and_of_drawn_rows(on: Any) -> None:
    torch.manual_seed(0)
    from harness import Partition
    chunks = [(torch.randn(3, 2, 7, 4), torch.randn(3, 2, 7, 4)) for _ in range(2)]
    quantizers = {name: Uniform(Partition.tensor(), 3, "symmetric") for name in ("query", "key")}
    product = Product(("query", "key"), quantizers, inputs_of(quantizers, chunks, scale=0.5, rows_of_entry=7.0))

    def loss(rows: int, reduction: Any = "mean", gamma: float = 1.0) -> float:
        given = RankingOptions(rows=rows, on=on, reduction=reduction, gamma=gamma, theta=0.2)
        return Ranking(product, given, torch.Generator().manual_seed(0))(0.9, 0.8)

    def slow() -> float:
        total = 0.0
        for query, key in chunks:
            maps = [torch.einsum("bhnd,bhmd->bhnm", q, k) * 0.5 for q, k in (
                (query, key), (product.operands["query"].quantized(query, 0.9),
                               product.operands["key"].quantized(key, 0.8)))]
            a, b = (m.softmax(-1) for m in maps) if on == "softmax" else maps
            for p in range(7):
                for q in range(p + 1, 7):
                    total += float(torch.relu(0.2 - (b[..., p] - b[..., q]) * torch.sign(a[..., p] - a[..., q])).sum())
        return total

    pairs = 6 * 2 * 7 * 21
    assert loss(0) == pytest.approx(slow() / pairs, rel=1e-5)
    assert loss(10_000) == pytest.approx(loss(0), rel=1e-5)
    assert loss(0, "sum") == pytest.approx(slow() / (6 * 2), rel=1e-5)
    assert loss(0, gamma=0.1) == pytest.approx(0.1 * loss(0), rel=1e-9)
    few = Ranking(product, RankingOptions(rows=9), torch.Generator().manual_seed(0))
    assert few._kept is not None
    assert few._kept[0][0].shape == (5, 2, 1, 4), "9 rows are 5 queries of 2 heads"


@pytest.mark.parametrize("rows", [0, 10_000])
def test_ranking_of_rows_of_several_lengths(rows: int) -> None:
    torch.manual_seed(0)
    from harness import Partition
    with Store() as store:
        for queries, keys in ((5, 9), (7, 4), (5, 9)):
            store.append("a", [torch.randn(1, 2, queries, 4), torch.randn(1, 2, keys, 4)])
        quantizers = {name: Uniform(Partition.tensor(), 3, "symmetric") for name in ("query", "key")}
        bounds = dict.fromkeys(quantizers, (torch.tensor([-2.0]), torch.tensor([2.0])))
        product = Product(("query", "key"), quantizers, Inputs(
            lambda size, seed: store.blocks("a", size, seed), store.count("a"), bounds, scale=0.5))
        loss = Ranking(product, RankingOptions(rows=rows, gamma=1.0), torch.Generator().manual_seed(0))(0.9, 0.8)
        total, counted = 0.0, 0
        for query, key in product.inputs.blocks(lambda _: 1):
            maps = (query @ key.mT / 2, (product.operands["query"].quantized(query, 0.9)
                                         @ product.operands["key"].quantized(key, 0.8).mT) / 2)
            total += float(hinge_ranking_loss(*maps)) * maps[0][..., 0].numel()
            counted += maps[0][..., 0].numel()
    assert loss == pytest.approx(total / counted, rel=1e-5)


def test_same_seed_same_result() -> None:
    def scales() -> list[Tensor]:
        return [q.scale.clone() for q in run_method(vit_context(), **options()).quantizers.values()]

    assert all(torch.equal(a, b) for a, b in zip(scales(), scales(), strict=True))


@pytest.mark.parametrize("ablation", list(registry().methods["ptqvit"].ablations))
def test_every_ablation_runs(ablation: str) -> None:
    given = dict(registry().methods["ptqvit"].ablations[ablation])
    given["search"] = {"candidates": 3, **given.get("search", {})}
    if given.get("mixed_precision") == "hessian":
        given["allocation"] = {"probes": 1}
    context = vit_context("6/6", 4)
    run_method(context, **given)
    assert ("mixed_precision" in context.notes) == ("mixed_precision" in given)


def test_other_quantizers_can_be_chosen() -> None:
    channel = {"name": "uniform", "options": {"granularity": "channel", "scheme": "symmetric"}}
    model = run_method(vit_context(), weights=channel, **options(candidates=5))
    assert model.quantizer("blocks.0.mlp.fc1.weight").partition.slots == 128


def test_mistakes_are_named() -> None:
    with pytest.raises(OptionError, match="alpha"):
        run_method(vit_context(), search={"alpha": 2.0})
    with pytest.raises(OptionError, match="similarity"):
        run_method(vit_context(), search={"similarity": "pearsn"})
    context = vit_context()
    method = registry().create(registry().methods, Choice(name="ptqvit"))
    method.place(context)
    context.model.operation("head").weight.data[0, 0] = float("nan")
    with pytest.raises(QuantizationError, match=r"head\.weight"):
        method.calibrate(context)


def test_published_rows() -> None:
    spec = registry().methods["ptqvit"]
    rows = list(csv.DictReader(io.StringIO(registry().published(spec))))
    found = {(r["dataset"], r["model"], r["method"], r["bits"], r["table"], r["metric"]): float(r["value"])
             for r in rows}
    assert len(rows) == len(found) == 2 * (53 + 11 + 9) + 3 * 2
    whole = "ptqvit:similarity+ranking+bias+mixed"
    assert found["ImageNet", "DeiT-B", whole, "8MP/8MP", "Table 1", "top1"] == 81.29
    assert found["ImageNet", "DeiT-S", "percentile", "6/6", "Table 1", "top1"] == pytest.approx(79.8 - 9.31)
    assert found["COCO", "DETR-R50", whole, "6MP/6MP", "Table 2", "box_ap"] == 40.5
    assert found["ImageNet", "ViT-B", "ptqvit:similarity", "8/8", "Table 3", "top1"] == 75.42
    assert found["ImageNet", "ViT-B", whole, "8MP/8MP", "Table 4", "sensitivity_seconds"] == 53.1
    damaged = {(r["dataset"], r["model"], r["method"], r["bits"]) for r in rows if "damaged" in r["flags"]}
    assert len(damaged) == 17
