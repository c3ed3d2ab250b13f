"""What a study asks for: ablations by name, options for a task, word embeddings, suites."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import BitRange, OptionError, SuiteSpec, UnknownNameError
from harness.engine.measure import build_method
from harness.engine.plan import Planned, make_plan
from harness.engine.possible import catalogue_of
from harness.engine.study import make_study
from harness.registry import Registry, registry
from harness.results.storage.store import Store


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The registry, of which a test may change the descriptions."""
    found = registry()
    for catalogue in (found.methods, found.tasks, found.suites):
        monkeypatch.setattr(catalogue, "_specs", dict(catalogue._specs))
    return found


def plan(known: Registry, folder: Path, **study: Any) -> list[Planned]:
    asked = {"task": "imagenet", "scale": "mini", "bits": "4/4"} | study
    return [item for item in make_plan(make_study(asked), known, Store(folder)) if item.run.method != "full_precision"]


def test_an_ablation_by_name_is_the_run_with_its_options(known: Registry, tmp_path: Path) -> None:
    named, bare = plan(known, tmp_path, methods="quantformer:hinge,quantformer")
    (by_hand,) = plan(known, tmp_path, methods="quantformer", set={"quantformer": {"losses": ["task", "hinge"]}})
    assert named.run.identity == by_hand.run.identity != bare.run.identity
    assert named.run.given == {"losses": ["task", "hinge"]}
    assert named.run.label.startswith("quantformer:hinge 4/4")


def test_what_the_user_sets_wins_over_the_ablation_and_joins_it(known: Registry, tmp_path: Path) -> None:
    (item,) = plan(known, tmp_path, methods="ptqvit:similarity",
                   set={"ptqvit": {"search": {"bias_correction": True, "candidates": 7}}})
    search = item.run.options["search"]["options"]
    assert (search["ranking"]["enabled"], search["bias_correction"], search["candidates"]) == (False, True, 7)


def test_an_unknown_ablation_gets_a_suggestion(known: Registry, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="ablation of quantformer: 'hing'") as caught:
        plan(known, tmp_path, methods="quantformer:hing")
    assert "Did you mean 'hinge'" in caught.value.remedy


def test_names_of_ablations_can_be_written_in_a_list() -> None:
    for spec in registry().methods.values():
        assert not any("," in name or ":" in name for name in spec.ablations), spec.name


def test_options_for_a_task_are_the_defaults_there_and_nowhere_else(known: Registry, tmp_path: Path) -> None:
    known.methods._specs["lsq"] = replace(known.methods["lsq"], task_options={
        "cifar10": {"training": {"learning_rate": 0.25, "warmup": 0.5}}})
    elsewhere, there = plan(known, tmp_path, methods="lsq", task="imagenet,cifar10",
                            set={"lsq": {"training": {"warmup": 0.125}}})
    assert elsewhere.run.options["training"]["learning_rate"] != 0.25
    assert there.run.options["training"]["learning_rate"] == 0.25
    assert elsewhere.run.options["training"]["warmup"] == there.run.options["training"]["warmup"] == 0.125
    assert there.run.given == {"training": {"warmup": 0.125}}


def test_a_method_made_for_other_tasks_is_not_possible(known: Registry, tmp_path: Path) -> None:
    known.methods._specs["minmax"] = replace(known.methods["minmax"], kinds=("language", "detection"))
    (item,) = plan(known, tmp_path, methods="minmax")
    assert (item.state, item.reason) == (
        "impossible", "minmax is made for language and detection, and imagenet is a task of classification")
    known.tasks._specs["imagenet"] = replace(known.tasks["imagenet"], kind="detection")
    assert plan(known, tmp_path, methods="minmax")[0].state == "missing"


def test_so_is_a_component_that_the_method_or_the_user_chooses(known: Registry, tmp_path: Path) -> None:
    reason = "mckd is made for classification, and coco-detr is a task of detection"
    (own,) = plan(known, tmp_path, methods="variation", task="coco-detr")
    assert (own.state, own.reason) == ("impossible", reason)
    (other,) = plan(known, tmp_path, methods="variation", task="coco-detr", set={"variation": {"losses": ["task"]}})
    assert other.state == "missing"
    (chosen,) = plan(known, tmp_path, methods="lsq", task="coco-detr", set={"lsq": {"losses": ["task", "mckd"]}})
    assert chosen.reason == reason
    assert plan(known, tmp_path, methods="variation")[0].state == "missing"


def test_bits_that_a_method_can_do_on_some_tasks_only(known: Registry, tmp_path: Path) -> None:
    few, more = plan(known, tmp_path, methods="variation", bits="1/1,2/2")
    assert (few.state, few.reason) == (
        "impossible", "variation quantizes weights in classification to 2 to 8 bits, not 1")
    assert more.state == "missing"
    (language,) = plan(known, tmp_path, methods="variation", task="glue-sst2", bits="1/1")
    assert language.state == "missing"


@pytest.mark.parametrize(("study", "reason"), [
    ({"methods": "ptqvit:hessian", "set": {"ptqvit": {"mixed": "hawq"}}},
     "ptqvit's bits cannot come from mixed=hawq and from mixed_precision=hessian at once"),
    ({"methods": "minmax", "bits": "2/4", "set": {"minmax": {"search": "bitsplit"}}},
     "the search bitsplit needs 3 to 8 bits for weights, not 2"),
    ({"methods": "lsq", "task": "coco-maskrcnn", "set": {"lsq": {"mixed": "hawq"}}},
     "the search hawq needs second derivatives, and the loss of coco-maskrcnn has first ones only")])
def test_what_a_method_or_a_component_says_of_its_options(known: Registry, tmp_path: Path, study: dict[str, Any],
                                                          reason: str) -> None:
    (item,) = plan(known, tmp_path, **study)
    assert (item.state, item.reason) == ("impossible", reason)
    assert all(other.state == "missing" for other in plan(known, tmp_path, methods=study["methods"]))


def test_what_two_components_are_called_is_found_by_the_option(known: Registry) -> None:
    """A method, a quantizer and a loss may have one name."""
    known.losses._specs["uniform"] = replace(known.losses["kd"], name="uniform")
    try:
        assert catalogue_of(known, "losses", "uniform") is known.losses
        assert catalogue_of(known, "weights", "uniform") is known.quantizers
        assert catalogue_of(known, "search", "minmax") is catalogue_of(known, "mixed", "minmax") is known.searches
    finally:
        del known.losses._specs["uniform"]


def test_word_embeddings_are_a_language_models(known: Registry, tmp_path: Path) -> None:
    (item,) = plan(known, tmp_path, methods="minmax", bits="8/8/8")
    assert (item.state, item.reason) == ("impossible", "imagenet has no word embeddings to quantize to 8 bits")
    known.tasks._specs["imagenet"] = replace(known.tasks["imagenet"], kind="language")
    (item,) = plan(known, tmp_path, methods="minmax", bits="8/8/8")
    assert (item.state, item.run.asked.bits) == ("missing", "8/8/8")
    known.methods._specs["minmax"] = replace(known.methods["minmax"], embedding_bits=BitRange(2, 4))
    (item,) = plan(known, tmp_path, methods="minmax", bits="8/8/8")
    assert item.reason == "minmax quantizes word embeddings to 2 to 4 bits, not 8"


def test_a_suite_stands_for_its_tasks(known: Registry, tmp_path: Path) -> None:
    known.suites.add(SuiteSpec(name="pictures", summary="", columns=("cifar10.top1", "cifar10.top5", "imagenet.top1")))
    items = plan(known, tmp_path, methods="minmax", task="imagenet,pictures")
    assert [item.run.task.task for item in items] == ["imagenet", "cifar10"]


def test_set_of_a_method_that_is_not_in_the_study(known: Registry, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="'omse' is not among the methods of this study"):
        plan(known, tmp_path, methods="minmax", set={"omse": {"stem_bits": 4}})
    with pytest.raises(UnknownNameError, match="method in --set"):
        plan(known, tmp_path, methods="minmax", set={"minmxa": {"stem_bits": 4}})
    with pytest.raises(OptionError, match="gives a method a value"):
        plan(known, tmp_path, methods="minmax", set={"minmax": 3})


def test_a_method_sees_what_was_chosen_and_decides_the_rest(known: Registry, tmp_path: Path) -> None:
    """The record has all of a component's options; a default among them must not look like somebody's choice."""
    bare, set_ = plan(known, tmp_path, methods="qvit"), plan(
        known, tmp_path, methods="qvit", set={"qvit": {"activations": {"offset": True}}})
    assert bare[0].run.options["activations"]["options"]["offset"] is False
    for (item,), options in ((bare, {}), (set_, {"offset": True})):
        assert build_method(known.methods["qvit"], item.run, known).options.activations.options == options
