"""The recipe of Quantformer: placement, stages, what a resumed run repeats, costs, published rows."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
import torch
from quantformer_cases import full_size, grouped_range, prepared, trained

from harness import Context, Identity, trace
from harness.cost.conventions import quantformer
from harness.registry import registry
from harness.testing.conformance import MethodConformance
from harness.training.losses import TaskLoss
from harness_plugins.quantformer.centre import CentredRange
from harness_plugins.quantformer.groups import GroupedRange
from harness_plugins.quantformer.weight import ThresholdWeight


class TestQuantformer(MethodConformance):
    method = "quantformer"


class TestChannelWise(MethodConformance):
    method = "quantformer"
    options = {"activations": {"groups": 0}, "attention_bits": None, "other_bits": None}  # noqa: RUF012


def stages(context: Context) -> dict[str, int]:
    return {stage["stage"]: stage["steps"] for stage in context.notes["training"]}


def inputs_of_blocks(context: Context) -> dict[str, GroupedRange]:
    return {path: quantizer for path, quantizer in context.model.quantizers.items()
            if isinstance(quantizer, GroupedRange) and context.model.sites[path].role in ("qkv", "proj", "fc1", "fc2")}


def test_quantizers_and_bits_of_each_kind_of_site() -> None:
    _, context = prepared("3/4")
    kinds = {"weight": ThresholdWeight, "input": GroupedRange}
    for path, site in context.model.sites.items():
        quantizer = context.model.quantizer(path)
        in_block = site.role in ("qkv", "proj", "fc1", "fc2")
        assert isinstance(quantizer, kinds.get(site.operand, CentredRange)), path
        assert quantizer.bits == (8 if not in_block else 3 if site.is_weight else 4), path
        if isinstance(quantizer, GroupedRange):
            assert quantizer.half_wave == (site.role == "fc2"), path


def test_bits_of_attention_and_of_all_other_layers_can_be_the_runs() -> None:
    _, context = prepared("3/4", attention_bits=None, other_bits=None, stem_bits=6)
    bits = {path: quantizer.bits for path, quantizer in context.model.quantizers.items()}
    assert bits.pop("stem.input") == 6
    assert {path: 3 if path.endswith("weight") else 4 for path in bits} == bits


def test_the_codes_step_reaches_both_activation_quantizers() -> None:
    _, context = prepared("3/3", compat_code_step=True)
    for path, quantizer in context.model.quantizers.items():
        finer = not isinstance(quantizer, ThresholdWeight) and not getattr(quantizer, "half_wave", False)
        assert quantizer.describe()["bits"] == quantizer.bits + finer, path


def test_three_stages_share_the_budget() -> None:
    context = trained(budget="steps=20")
    assert stages(context) == {"qat": 12, "search": 3, "finetune": 5}
    for path, quantizer in inputs_of_blocks(context).items():
        assert quantizer.assignment is None, path
        assert 1 < len(quantizer.ranges) <= 8, path
        assert torch.equal(quantizer.group.unique(), torch.arange(len(quantizer.ranges))), path
        assert sum(context.notes["channels_of_groups"][path]) == len(quantizer.group)
    assert context.notes["sard"] > 0
    others = [quantizer for path, quantizer in context.model.quantizers.items()
              if isinstance(quantizer, GroupedRange) and path not in inputs_of_blocks(context)]
    assert [len(quantizer.ranges) for quantizer in others] == [1, 1], "stem and head have one range"


@pytest.mark.parametrize(("options", "granularity"), [
    ({"granularity": "layer"}, "tensor"), ({"granularity": "channel"}, "channel"),
    ({"assign": "static_bins"}, "learned groups")])
def test_without_a_search_there_are_two_stages(options: dict[str, Any], granularity: str) -> None:
    context = trained(budget="steps=20", **options)
    assert stages(context) == {"qat": 15, "finetune": 5}
    described = [quantizer.describe() for quantizer in inputs_of_blocks(context).values()]
    assert {each["granularity"] for each in described} == {granularity}
    if granularity == "channel":
        assert [each["groups"] for each in described] == [16, 16, 16, 32] * 2


def test_a_soft_assignment_stays_what_the_search_found() -> None:
    context = trained(budget="steps=20", assign_final="soft", assignment_learning_rate=0.1)
    searched = trained(budget="steps=20", assign_final="soft", assignment_learning_rate=0.1, finetuning={
        "learning_rate": 1e-9, "final_learning_rate": 0})
    for path, quantizer in inputs_of_blocks(context).items():
        logits = quantizer.assignment
        assert logits is not None
        assert float((logits.detach() - 0.01).abs().max()) > 0.05, "trained while it was searched"
        assert torch.equal(logits, searched.model.quantizer(path).assignment), "and not afterwards"
        assert quantizer.describe()["granularity"] == "mixed groups"


def test_the_assignment_has_its_own_learning_rate() -> None:
    still = trained(budget="steps=20", assign_final="soft", assignment_learning_rate=1e-12)
    for quantizer in inputs_of_blocks(still).values():
        assert quantizer.assignment is not None
        torch.testing.assert_close(quantizer.assignment.detach(), torch.full_like(quantizer.assignment, 0.01))


def test_losses_of_the_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness_plugins.quantformer.assignment import AssignmentEntropy
    from harness_plugins.quantformer.rank_consistency import RankConsistency

    seen: list[str] = []
    for kind in (TaskLoss, RankConsistency, AssignmentEntropy):
        def counted(self: Any, step: Any, plain: Any = kind.forward, name: str = kind.__name__) -> Any:
            seen.append(name)
            return plain(self, step)

        monkeypatch.setattr(kind, "forward", counted)
    trained(budget="steps=4")  # 2, 1 and 1
    both = ["TaskLoss", "RankConsistency"]
    assert seen == ["TaskLoss"] * 2 + [*both, "AssignmentEntropy"] + both
    seen.clear()
    trained(budget="steps=4", losses=["task"], first_losses=["task", "src"])
    assert seen == both * 2 + ["TaskLoss", "AssignmentEntropy", "TaskLoss"]


def test_ranges_decay_unless_told_not_to() -> None:
    """With a rate of nearly 0 gradients move nothing, and decay (rate x decay) little; so the decay is made large."""
    training = {"learning_rate": 1e-9, "final_learning_rate": 0, "weight_decay": 1e8}
    by_decay = {}
    for decay in (True, False):
        _, start = prepared(granularity="layer")
        end = trained(granularity="layer", budget="steps=4", decay_ranges=decay, training=training)
        by_decay[decay] = float(end.model.quantizer("blocks.0.fc1.input").ranges.detach()
                                / start.model.quantizer("blocks.0.fc1.input").ranges.detach())
    assert by_decay[True] < 0.9
    assert by_decay[False] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("name", registry().methods["quantformer"].ablations)
def test_every_ablation_runs(name: str) -> None:
    context = trained("3/3", "steps=4", **registry().methods["quantformer"].ablations[name])
    assert all(abs(loss) < 1e4 for stage in context.notes["training"] for loss in stage["loss"])


def test_layers_without_groups_are_trained_without_a_search() -> None:
    assert stages(trained(budget="steps=4", activations="learned")) == {"qat": 3, "finetune": 1}


def test_bits_that_a_search_allocated_are_placed() -> None:
    method, context = prepared()
    context.allocation = {"blocks.0.fc1.weight": 2, "blocks.0.fc1.input": 3, "blocks.0.attn.query": 5}
    method.place(context)
    bits = [context.model.quantizer(path).bits for path in (*context.allocation, "blocks.1.fc1.weight")]
    assert bits == [2, 3, 5, 4]


@pytest.mark.parametrize("options", [{}, {"assign_final": "soft"}])
def test_it_trains_in_lower_precision(options: dict[str, Any]) -> None:
    training = {"precision": "bf16"}
    context = trained(budget="steps=8", training=training, searching=training, finetuning=training, **options)
    exact = trained(budget="steps=8", **options)
    for given, expected in zip(context.notes["training"], exact.notes["training"], strict=True):
        assert given["loss"] == pytest.approx(expected["loss"], rel=0.02)


class Killed(Exception):  # noqa: N818
    """Stands for a crash."""


@pytest.mark.parametrize("options", [{}, {"assign_final": "soft"}, {"assign": "static_bins"}],
                         ids=["hard", "soft", "bins"])
@pytest.mark.parametrize("after", [1, 6, 7, 8, 9, 10])
def test_a_killed_training_ends_with_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int,
                                                      options: dict[str, Any]) -> None:
    """Steps 1 to 6 are the first stage's, 7 and 8 the search's, 9 and 10 the last one's (without a search 1 to 8)."""
    options |= {"losses": ["task", {"name": "src", "p": "random"}], "assignment_learning_rate": 0.1}
    undisturbed = trained(budget="steps=10", **options)
    plain, calls = TaskLoss.forward, 0

    def forward(self: TaskLoss, step: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == after:
            raise Killed
        return plain(self, step)

    monkeypatch.setattr(TaskLoss, "forward", forward)
    with pytest.raises(Killed):
        trained(budget="steps=10", folder=tmp_path, **options)
    resumed = trained(budget="steps=10", folder=tmp_path, **options)
    assert calls == 11, "steps that were done are not done again"
    expected, given = undisturbed.model.state_dict(), resumed.model.state_dict()
    assert given.keys() == expected.keys()
    assert all(torch.equal(given[name], expected[name]) for name in expected)
    assert resumed.notes == undisturbed.notes


DEIT_T, DEIT_S, DEIT_B = (f"deit_{size}_patch16_224" for size in ("tiny", "small", "base"))
PLACED = {(DEIT_T, 8): 35.8, (DEIT_S, 8): 105.0, (DEIT_B, 8): 344.0, (DEIT_T, 1): 34.9, (DEIT_S, 1): 103.2,
          (DEIT_B, 1): 340.3}


@pytest.mark.parametrize(("model", "groups"), PLACED)
def test_published_bops_with_this_placement(model: str, groups: int) -> None:
    """Table 5 at 4 bits, with channels spread over all groups."""
    method, context = prepared("4/4")
    context.model, picture = full_size(model)  # without weights: shapes are enough
    for path, site in context.model.sites.items():
        bits = method.bits_of(site, context)
        quantizer = registry().create(registry().quantizers, method.quantizer_of(site), site, bits)
        if isinstance(quantizer, GroupedRange) and site.role in ("qkv", "proj", "fc1", "fc2"):
            quantizer.divide(torch.linspace(1, 2, site.layout.channels or 1), groups)
        context.model.operation(site.operation).quantizers[site.operand] = quantizer
        assert context.model.quantizer(path) is quantizer
    bops = quantformer(trace(context.model, lambda each: each(picture)))
    assert bops / 1e9 == pytest.approx(PLACED[model, groups], abs=0.1)


def test_empty_groups_cost_nothing() -> None:
    quantizer = grouped_range(4, 4)
    quantizer.divide(torch.tensor([1.0, 1.0, 1.0, 2.0]), 8)
    assert quantizer.describe()["groups"] == 2


def test_published_rows() -> None:
    rows = list(csv.DictReader(io.StringIO(registry().published(registry().methods["quantformer"]))))
    by_table: dict[str, int] = {}
    for row in rows:
        by_table[row["table"]] = by_table.get(row["table"], 0) + 1
    # Tables 1 to 6: 3 bit-widths x 2 methods x 3 metrics; 2 x 3 x 3 + full precision x 2; 5 forms x 3 x 2;
    # 5 constants x 3 x 2; 3 models x (4 methods x 3 bit-widths + full precision) x 4 metrics; 3 granularities x 3.
    assert by_table == {"Table 1": 18, "Table 2": 20, "Table 3": 30, "Table 4": 30, "Table 5": 156, "Table 6": 9}

    def value(method: str, bits: str, metric: str, table: str, model: str = "DeiT-T") -> list[str]:
        wanted = {"method": method, "bits": f"{bits}/{bits}", "metric": metric, "table": table, "model": model}
        return [row["value"] for row in rows if wanted.items() <= row.items()]

    assert value("quantformer", "4", "top1", "Table 5") == value("quantformer", "4", "top1", "Table 1") == ["69.9"]
    assert value("quantformer:without groups", "4", "top1", "Table 6") == ["68.0"]
    assert value("quantformer", "2", "bops_G", "Table 5", "DeiT-B") == ["143.2"]
    illegible = [row for row in rows if not row["value"]]
    assert len(illegible) == 4
    assert all("illegible" in row["note"] and row["flags"] == "damaged" for row in illegible)
    known = {"full_precision", "ocs_qat", "quantformer",
             *(f"quantformer:{name}" for name in registry().methods["quantformer"].ablations)}
    assert {row["method"] for row in rows} <= known


def test_sites_outside_of_its_scope_stay_in_full_precision() -> None:
    _, context = prepared(scope="no_head")
    assert isinstance(context.model.quantizer("head.weight"), Identity)
