"""Q-ViT as a whole: placement, stages, probes, on the tiny transformer."""

from __future__ import annotations

import csv
import io
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from harness import (
    Bits,
    Choice,
    Context,
    Group,
    Identity,
    LearnedUniform,
    OptionError,
    QuantizationError,
    Stage,
)
from harness.engine.plan import make_plan
from harness.engine.runner import Runner
from harness.engine.study import make_study
from harness.options import resolve
from harness.registry import registry
from harness.results.storage.store import Store
from harness.testing.toy import toy_context
from harness.testing.training import TrainingConformance
from harness_plugins.qvit.method import QVit
from harness_plugins.qvit.options import QVitOptions
from harness_plugins.qvit.quantizer import Switchable

ABLATIONS = registry().methods["qvit"].ablations


class TestQVit(TrainingConformance):
    method = "qvit"


class TestUniform(TrainingConformance):
    method = "qvit"
    options = ABLATIONS["uniform"]


def method_of(options: dict[str, Any]) -> QVit:
    return QVit(resolve(QVitOptions, options, "method qvit"))


def ready(run: str = "4/4", budget: str = "steps=10", **options: Any) -> tuple[QVit, Context]:
    """Placed and calibrated."""
    method = method_of({"training": {"batch_size": 4}} | options)
    context = toy_context(Bits.parse(run), budget=budget, method=method)
    method.place(context)
    method.calibrate(context)
    return method, context


def switchable(context: Context, path: str) -> Switchable:
    quantizer = context.model.quantizer(path)
    assert isinstance(quantizer, Switchable)
    return quantizer


def all_switchable(context: Context) -> dict[str, Switchable]:
    return {path: quantizer for path, quantizer in context.model.quantizers.items()
            if isinstance(quantizer, Switchable)}


EXPECTED = {  # granularity, slots, signed, offset
    "stem.weight": ("tensor", 1, True, False), "stem.input": ("tensor", 1, True, False),
    "blocks.0.attn.qkv.weight": ("module_head", 6, True, False),
    "blocks.0.attn.qkv.input": ("tensor", 1, True, False),
    "blocks.0.attn.query": ("head", 2, True, False), "blocks.0.attn.key": ("head", 2, True, False),
    "blocks.0.attn.value": ("head", 2, True, False), "blocks.0.attn.attention": ("head", 2, False, False),
    "blocks.0.attn.proj.weight": ("head", 2, True, False), "blocks.0.attn.proj.input": ("head", 2, True, False),
    "blocks.0.fc1.weight": ("tensor", 1, True, False), "blocks.0.fc1.input": ("tensor", 1, True, False),
    "blocks.0.fc2.weight": ("tensor", 1, True, False), "blocks.0.fc2.input": ("tensor", 1, False, True),
    "head.weight": ("tensor", 1, True, False), "head.input": ("tensor", 1, True, False)}


def test_every_tensor_of_the_papers_table_is_quantized_as_it_says() -> None:
    _, context = ready("3/4")
    found = {}
    for path, quantizer in all_switchable(context).items():
        described = quantizer.describe()
        found[path] = (described["granularity"], described["groups"], quantizer.scheme == "symmetric",
                       quantizer.offsets is not None)
        site = context.model.sites[path]
        start = 8 if site.role in ("patch_embed", "head") else 4 if site.is_weight else 5
        assert described["bits"] == start, path  # N + 1
        assert quantizer.learns
        assert quantizer.scales.shape == (7, 3 if path.endswith("qkv.weight") else 1)
    assert {path: value for path, value in found.items() if not path.startswith("blocks.1")} == EXPECTED
    assert not any(isinstance(context.model.quantizer(path), Identity) for path in context.model.sites)


def test_uniform_runs_have_the_runs_bits_and_8_in_first_and_last_layers() -> None:
    _, context = ready("3/4", bits={"learn": False})
    for path, quantizer in all_switchable(context).items():
        site = context.model.sites[path]
        ends = site.role in ("patch_embed", "head")
        assert quantizer.describe()["bits"] == (8 if ends else 3 if site.is_weight else 4)
        assert not quantizer.learns
        assert quantizer.scales.shape[0] == 1


def test_a_uniform_layer_is_lsqplus_with_mse_start() -> None:
    _, context = ready("4/4", bits={"learn": False})
    quantizer = switchable(context, "blocks.0.fc1.weight")
    plain = LearnedUniform(quantizer.partition, 4)
    plain.set_scale(quantizer.scale.detach())
    weight = torch.randn(32, 16, requires_grad=True)
    for each in (quantizer, plain):
        each(weight).square().sum().backward()
    torch.testing.assert_close(quantizer(weight), plain(weight))
    assert quantizer.scales.grad is not None
    torch.testing.assert_close(quantizer.scales.grad[0], plain.scale.grad)


@pytest.mark.parametrize(("options", "starts", "learns"), [
    ({"first_last": "fixed"}, 8, False), ({"stem_bits": None, "head_bits": None}, 5, True),
    ({"stem_bits": 6, "head_bits": 6}, 6, True)])
def test_first_and_last_layers(options: dict[str, Any], starts: int, learns: bool) -> None:
    _, context = ready(**options)
    for path in ("stem.weight", "stem.input", "head.weight", "head.input"):
        quantizer = switchable(context, path)
        assert (quantizer.describe()["bits"], quantizer.learns) == (starts, learns)
    assert switchable(context, "blocks.1.fc1.weight").learns


def test_start_and_range_of_the_bits() -> None:
    _, context = ready("8/8")
    assert {quantizer.describe()["bits"] for quantizer in all_switchable(context).values()} == {8}
    _, context = ready(bits={"start": 6, "low": 3, "high": 7}, stem_bits=7, head_bits=7)
    assert switchable(context, "blocks.0.fc1.weight").describe()["bits"] == 6
    assert switchable(context, "blocks.0.fc1.weight").scales.shape == (5, 1)
    with pytest.raises(QuantizationError, match="8 bits lie outside of the bit-widths 2 to 7"):
        ready(bits={"high": 7})
    with pytest.raises(OptionError, match="low must not be larger than high"):
        ready(bits={"low": 5, "high": 4})


def test_offsets() -> None:
    _, context = ready(offset={"all": True})
    for path, quantizer in all_switchable(context).items():
        site = context.model.sites[path]
        assert (quantizer.offsets is not None) == (not site.is_weight and site.operand != "attention"), path
    _, context = ready(offset={"gelu": False})
    assert not any(quantizer.offsets is not None for quantizer in all_switchable(context).values())
    assert switchable(context, "blocks.0.fc2.input").scheme == "symmetric"


def test_a_user_s_own_quantizer_and_its_options_win() -> None:
    _, context = ready(weights={"name": "switchable", "granularity": "layer"}, search={"images": 4})
    assert switchable(context, "blocks.0.attn.proj.weight").partition.slots == 1
    assert switchable(context, "blocks.0.attn.proj.input").partition.slots == 2
    _, context = ready(weights="learned")
    assert isinstance(context.model.quantizer("blocks.0.fc1.weight"), LearnedUniform)


def test_searching_and_diving_stage() -> None:
    """Bits move in the first sigma of the steps and then stand still, while scales and weights go on."""
    method, context = ready("3/3", budget="steps=10", sigma=0.5)
    history: list[list[float]] = []
    start = {path: quantizer.float_bits.detach().clone() for path, quantizer in all_switchable(context).items()}
    watched = switchable(context, "blocks.0.fc1.weight")

    def see(*_: object) -> None:
        if torch.is_grad_enabled():  # a step of the training, not a forward that is traced
            history.append([watched.float_bits.item(), *watched.scales.detach().flatten().tolist()])

    watched.register_forward_pre_hook(see)
    method.train(context)
    bits = [step[0] for step in history]
    assert len(bits) == 10
    assert len(set(bits[:6])) == 6
    assert bits[5:] == [bits[5]] * 5
    assert history[9][1:] != history[6][1:]
    moved = [not torch.equal(start[path], quantizer.float_bits) for path, quantizer in all_switchable(context).items()]
    assert all(moved)


def test_only_fixed_ends_stay() -> None:
    method, context = ready("3/3", first_last="fixed")
    method.train(context)
    for path, quantizer in all_switchable(context).items():
        ends = context.model.sites[path].role in ("patch_embed", "head")
        assert (quantizer.float_bits.tolist() == [8.0]) == ends, path


def the_stage(budget: str, **options: Any) -> Stage:
    method, context = ready(budget=budget, **options)
    (stage,) = method.stages(context)
    return stage


def test_the_stage_is_the_papers() -> None:
    stage = the_stage("paper", training={"batch_size": 4})
    training = stage.training
    assert (training.epochs, training.learning_rate, training.weight_decay, training.warmup, training.schedule,
            training.optimizer, training.mode, training.precision, training.final_learning_rate) == (
        300, 2e-4, .05, 0, "cosine", "adamw", "eval", "fp32", 0)
    assert QVitOptions().training.batch_size == 512
    assert stage.losses == (Choice(name="task"), Choice(name="bitops", options={"weight": .1, "budget": None}))
    assert stage.groups["bits"].until == .9


def test_bits_have_the_papers_rate_in_a_long_run_and_can_move_in_a_short_one() -> None:
    assert the_stage("steps=700000").groups["bits"] == Group(2e-4, until=.9)
    assert the_stage("steps=100").groups["bits"].learning_rate == pytest.approx(2 * 2 / 90)
    assert the_stage("steps=100", bits={"learning_rate": .01}).groups["bits"].learning_rate == .01
    assert the_stage("steps=100", sigma=0).groups["bits"] == Group(2e-4, until=0)


def test_without_learned_bits_there_is_no_penalty() -> None:
    stage = the_stage("steps=4", bits={"learn": False})
    assert stage.losses == (Choice(name="task"),)
    assert not stage.groups
    own = the_stage("steps=4", losses=["task", {"name": "bitops", "weight": 3}])
    assert own.losses == (Choice(name="task"), Choice(name="bitops", options={"weight": 3}))


def test_training_meets_the_budget_and_says_so() -> None:
    method, context = ready("3/3", budget="steps=60")
    method.train(context)
    noted = context.notes["bitops"]
    assert noted["before"] > 1.3 * noted["budget"]
    assert .75 * noted["budget"] < noted["after"] < 1.05 * noted["budget"]


def test_an_own_budget() -> None:
    method, context = ready("4/4", budget="steps=60")
    method.train(context)
    tight = .6 * context.notes["bitops"]["budget"]
    method, context = ready("4/4", budget="steps=60", budget_g=tight)
    method.train(context)
    assert context.notes["bitops"]["budget"] == pytest.approx(tight)
    assert context.notes["bitops"]["after"] < 1.1 * tight
    method, context = ready(budget_g=1e-9)
    with pytest.raises(OptionError, match="cannot be kept"):
        method.train(context)


# The probes of Fig. 2.

@pytest.mark.parametrize(("probe", "sites"), [
    ("mlp", {"fc1.weight", "fc1.input", "fc2.weight", "fc2.input"}),
    ("gelu_fp", {"fc1.weight", "fc1.input", "fc2.weight"}), ("fc_fp", {"fc2.input"})])
def test_probes_of_the_mlp(probe: str, sites: set[str]) -> None:
    method, context = ready("3/3", sensitivity=probe)
    assert set(all_switchable(context)) == {f"blocks.{block}.{site}" for block in range(2) for site in sites}
    assert all(quantizer.describe()["bits"] == 3 for quantizer in all_switchable(context).values())
    (stage,) = method.stages(context)
    assert stage.losses == (Choice(name="task"),)


@pytest.mark.parametrize("head", [0, 1])
def test_probe_of_a_head(head: int) -> None:
    method, context = ready("8/8", sensitivity="head", sensitivity_head=head)
    two = [2 if head == each else 8 for each in range(2)]
    for path, quantizer in all_switchable(context).items():
        expected: Any = 8
        if path.startswith("blocks.0.attn.") and not path.endswith("qkv.input"):
            expected = two * 3 if path.endswith("qkv.weight") else two
        assert quantizer.describe()["bits"] == expected, path
    key = switchable(context, "blocks.0.attn.key")
    at_2_bits, at_8_bits = (key.scales[row].item() for row in (0, 6))
    assert key.scale.tolist() == ([at_2_bits, at_8_bits] if head == 0 else [at_8_bits, at_2_bits])
    assert list(method.stages(context)) == []
    method.train(context)
    assert "training" not in context.notes


def test_a_head_that_is_not_there() -> None:
    with pytest.raises(OptionError, match="sensitivity_head=2, but the first attention has 2 heads"):
        ready("8/8", sensitivity="head", sensitivity_head=2)


@pytest.mark.parametrize("name", ABLATIONS)
def test_every_ablation_places_calibrates_and_trains(name: str) -> None:
    options = dict(ABLATIONS[name])
    options["training"] = {"batch_size": 4, **options.get("training", {})}
    method, context = ready("4/4", budget="steps=2", **options)
    method.train(context)
    with torch.no_grad():
        outputs = context.model(next(iter(context.calibration.batches())))
    assert bool(torch.isfinite(outputs).all())


def test_every_switch_changes_the_placed_model() -> None:
    def state(**options: Any) -> str:
        method, context = ready("4/4", **options)
        stages = [(stage.losses, stage.groups) for stage in method.stages(context)]
        slots = [quantizer.partition.index.tolist() for quantizer in all_switchable(context).values()]
        return str([{name: value.tolist() for name, value in context.model.quantizers[path].state_dict().items()}
                    for path in context.model.sites]) + str(slots) + str(stages)

    seen = [state()]
    for options in ABLATIONS.values():
        seen.append(state(**dict(options)))
    assert len(set(seen)) == len(seen)


def test_published_rows() -> None:
    rows = list(csv.DictReader(io.StringIO(registry().published(registry().methods["qvit"]))))
    top1 = {(row["model"], row["method"], row["bits"], row["table"]): float(row["value"]) for row in rows
            if row["metric"] == "top1"}
    assert top1["DeiT-T", "qvit", "3MP/3MP", "Table 1"] == 69.62
    assert top1["Swin-T", "lsqplus", "4/4", "Table 1"] == 80.47
    assert top1["DeiT-T", "qvit:layer-wise bits and one scale", "4MP/4MP", "Table 3b"] == 71.62
    assert top1["DeiT-T", "qvit:sigma 0.5", "4MP/4MP", "Table 3c"] == 69.54
    assert {row["method"].removeprefix("qvit:") for row in rows if row["method"].startswith("qvit:")} <= set(ABLATIONS)


def test_a_run_decides_signs_offsets_and_bits_by_site(tmp_path: Path) -> None:
    """As the command line runs it, not only as a test builds it."""
    study = {"methods": ["qvit", "qvit:layer-wise bits"], "task": "imagenet", "scale": "mini", "bits": "3/3",
             "budget": "steps=1", "calibration": 8, "limit": 8}
    store = Store(tmp_path)
    runner = Runner(registry(), store, lambda what, total: nullcontext(lambda text="": None), lambda run, phase: None)
    found = [done.record for done in runner.execute(make_plan(make_study(study), registry(), store))]
    by_head, by_layer = ({site["site"]: site for site in record.coverage["quantized"]} for record in found[1:])
    assert by_head["blocks.0.attn.attention"]["quantizer"] == "switchable unsigned"
    assert by_head["blocks.0.mlp.fc2.input"]["quantizer"] == "switchable unsigned with offset"
    assert by_head["blocks.0.attn.query"]["quantizer"] == "switchable symmetric"
    assert (by_head["blocks.0.attn.query"]["groups"], by_layer["blocks.0.attn.query"]["groups"]) == (3, 1)
