"""Variation-aware training of language models: one bit by heads, bins of two values, Table 10."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from language_cases import HEADS, LAYERS, answers, language_context, method_of, run
from torch import Tensor

from harness import Bits, Choice, Context, HeadSplit, Identity, Layout, OptionError, Quantizer, Site
from harness.engine.plan import method_options
from harness.registry import registry
from harness.testing.toy import toy_context
from harness.training.snapshot import Snapshots
from harness_plugins.variation.bin_term import bin_term
from harness_plugins.variation.bins import integers, quantized_weights
from harness_plugins.variation.options import BinOptions
from harness_plugins.variation.oscillation import OscillationMonitor

ROOT = Path(__file__).parents[2]
SPEC = registry().methods["variation"]
ALL = Bits(1, 1, 1)
LANGUAGE: Mapping[str, Any] = SPEC.task_options["glue-rte"]


def ready(bits: Bits = ALL, **options: Any) -> Context:
    method = method_of("variation", {**LANGUAGE, **options})
    context = language_context(bits, method)
    method.place(context)
    method.calibrate(context)
    return context


def described(context: Context, path: str) -> tuple[Any, Any, Any]:
    says = context.model.quantizer(path).describe()
    return says["quantizer"], says["bits"], says["groups"]


# What is placed


def test_one_bit_has_a_learned_scale_for_each_head() -> None:
    context, attention = ready(), "bert.encoder.layer.1.attention"
    for name in ("query", "key", "value"):
        assert described(context, f"{attention}.self.{name}.weight") == ("binary, learned scale", 1, HEADS)
        assert described(context, f"{attention}.self.{name}") == ("elastic symmetric", 1, HEADS)
        assert described(context, f"{attention}.self.{name}.input") == ("elastic symmetric with shift", 1, 1)
    assert described(context, f"{attention}.self.attention") == ("elastic unsigned", 1, HEADS)
    assert described(context, f"{attention}.output.dense.weight") == ("binary, learned scale", 1, HEADS)
    assert described(context, f"{attention}.output.dense.input") == ("elastic symmetric with shift", 1, HEADS)
    assert described(context, "bert.encoder.layer.1.output.dense.input") == ("elastic unsigned", 1, 1)
    assert described(context, "bert.embeddings.word_embeddings.weight") == ("binary, mean scale", 1, 50)
    assert isinstance(context.model.quantizer("classifier.weight"), Identity)
    for path, quantizer in context.model.quantizers.items():
        if quantizer.mean_bits == 1 and "word_embeddings" not in path:
            assert quantizer.gradient_scale == "l1", path


def test_bits_are_chosen_site_by_site() -> None:
    context = ready(Bits(1, 4, 8))
    query = "bert.encoder.layer.0.attention.self.query"
    assert described(context, f"{query}.weight") == ("binary, learned scale", 1, HEADS)
    assert described(context, query) == ("learned symmetric", 4, HEADS)
    assert described(context, "bert.embeddings.word_embeddings.weight") == ("learned symmetric", 8, 1)
    words = ready(Bits(4, 4, 1), embeddings={"name": "binary_weight", "granularity": "tensor"})
    assert described(words, "bert.embeddings.word_embeddings.weight") == ("binary, mean scale", 1, 1)
    assert described(words, f"{query}.weight") == ("learned symmetric", 4, HEADS)


def test_an_allocation_of_one_bit_is_binary() -> None:
    context, query = language_context(Bits(4, 4)), "bert.encoder.layer.0.attention.self.query"
    context.allocation = {f"{query}.weight": 1}
    method_of("variation", LANGUAGE).place(context)
    assert described(context, f"{query}.weight") == ("binary, learned scale", 1, HEADS)
    assert described(context, query) == ("learned symmetric", 4, HEADS)


@pytest.mark.parametrize("bits", [Bits(1, 4), Bits(4, 1)])
def test_pictures_need_two_bits(bits: Bits) -> None:
    with pytest.raises(OptionError, match="language models only") as error:
        method_of("variation", {}).place(toy_context(bits))
    assert "2 to 8" in error.value.remedy


def test_modules_can_be_left_out() -> None:
    context = ready(leave_out=["q"])
    full = {path for path, quantizer in context.model.quantizers.items() if isinstance(quantizer, Identity)
            and ".layer.0." in path}
    query = "bert.encoder.layer.0.attention.self.query"
    assert full == {query, f"{query}.weight"}


# Bins of two values


def binary(split: HeadSplit | None = None) -> Quantizer:
    site = Site("q.weight", "q", "weight", "query", 0, Layout(("out", "in"), (2, 4), -2, split))
    options = {"granularity": "module_head", "scale": "learned"}
    quantizer: Quantizer = registry().create(
        registry().quantizers, Choice(name="binary_weight", options=options), site, 1)
    return quantizer


WEIGHT = torch.tensor([[0.5, 0.1, -0.3, -0.2], [0.4, -0.6, -0.2, 0.3]])  # mean 0


def plainly(weight: Tensor, scales: list[float], options: BinOptions) -> Tensor:
    """Eq. 10, bin by bin."""
    total = weight.new_zeros(())
    for row, scale in zip(weight.reshape(len(scales), -1), scales, strict=True):
        values = torch.where(row.detach() >= 0, scale, -scale)
        rest = row - values
        total = total + (rest.square().mean() if options.error == "mean_sq" else rest.square().sum().sqrt())
        for side in (scale, -scale):
            members = row[values == side]
            if len(members) >= options.min_count:
                total = total + members.var(correction=options.ddof)
    return total


@pytest.mark.parametrize("options", [BinOptions(), BinOptions(error="l2norm", min_count=3), BinOptions(ddof=0)])
@pytest.mark.parametrize("heads", [1, 2])
def test_two_bins_of_each_head(heads: int, options: BinOptions) -> None:
    quantizer = binary(HeadSplit(-2, heads))
    scales = [0.25, 0.45][:heads]
    with torch.no_grad():
        quantizer.get_parameter("scale").copy_(torch.tensor(scales))
    weight, same = WEIGHT.clone().requires_grad_(), WEIGHT.clone().requires_grad_()
    term, expected = bin_term(weight, quantizer, options), plainly(same, scales, options)
    assert float(term.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    term.backward()
    expected.backward()
    torch.testing.assert_close(weight.grad, same.grad)


def test_the_term_by_hand() -> None:
    """One module, s = 0.35: error mean((|w| - s)^2) = .025; variance of each side .0291667; sum .0833333."""
    quantizer = binary()
    with torch.no_grad():
        quantizer.get_parameter("scale").fill_(0.35)
    error = sum((abs(value) - 0.35) ** 2 for value in WEIGHT.flatten().tolist()) / 8
    positive = [0.5, 0.1, 0.4, 0.3]
    variance = sum((value - 0.325) ** 2 for value in positive) / 3
    negative = sum((value - 0.325) ** 2 for value in (0.3, 0.2, 0.6, 0.2)) / 3
    assert float(bin_term(WEIGHT, quantizer, BinOptions())) == pytest.approx(error + variance + negative, rel=1e-5)


def test_tables_of_words_are_not_regularised() -> None:
    context = ready()
    paths = [path for path, _, _ in quantized_weights(context.model)]
    assert len(paths) == 6 * LAYERS + 1  # and the pooler
    assert not any("embeddings" in path for path in paths)


def test_a_binary_weight_oscillates_when_its_side_does() -> None:
    context = ready()
    path = "bert.pooler.dense.weight"
    weight = context.model.operation("bert.pooler.dense").get_parameter("weight")
    assert set(integers(weight, context.model.quantizer(path)).unique().tolist()) == {-1, 1}  # type: ignore[arg-type]
    monitor = OscillationMonitor()
    monitor.prepare(context)
    centre = float(weight.detach().mean())
    for distance in (-0.003, 0.003, -0.003, 0.003):
        with torch.no_grad():
            weight.view(-1)[0] = centre + distance
        monitor(type("Step", (), {"model": context.model}))  # type: ignore[arg-type]
    assert monitor.notes()["oscillation_percent"]["pooler"] == pytest.approx(100 / weight.numel(), abs=1e-4)


# Training


def test_training_of_one_bit_learns_and_notes() -> None:
    training = {**LANGUAGE["training"], "batch_size": 8, "learning_rate": 5e-3}
    context = run("variation", ALL, budget="steps=60", **{**LANGUAGE, "training": training})
    (noted,) = context.notes["training"]
    assert sum(noted["loss"][-5:]) < 0.9 * sum(noted["loss"][:5])
    assert noted["oscillation_percent"].keys() == {"query", "key", "value", "proj", "fc1", "fc2", "pooler", "modules"}
    assert context.notes["mac_unit"] == {}  # Table 14 begins at 2 bits
    assert set(context.notes["sdam"]) == {"full_precision", "trained"}


def test_a_killed_training_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, write = run("variation", ALL, **LANGUAGE), Snapshots.write

    def killing(self: Snapshots, key: str, content: Mapping[str, Any]) -> None:
        write(self, key, content)
        raise InterruptedError

    snapshots = Snapshots(tmp_path, "me", seconds=0.0)
    with monkeypatch.context() as patch:
        patch.setattr(Snapshots, "write", killing)
        with pytest.raises(InterruptedError):
            run("variation", ALL, snapshots=snapshots, **LANGUAGE)
    resumed = run("variation", ALL, snapshots=snapshots, **LANGUAGE)
    assert torch.equal(answers(resumed), answers(whole))
    assert resumed.notes["training"] == whole.notes["training"]


@pytest.mark.parametrize("ablation", [name for name in SPEC.ablations if name.startswith(("language", "binary"))])
def test_ablations_of_language_models_train(ablation: str) -> None:
    context = run("variation", ALL, **{**LANGUAGE, **SPEC.ablations[ablation]})
    assert bool(torch.isfinite(answers(context)).all())


# Options and published figures


def test_table_10() -> None:
    table = {"glue-mnli": (6, 16, 2e-4), "glue-qqp": (6, 32, 2e-4), "glue-qnli": (20, 16, 2e-4),
             "glue-sst2": (40, 16, 2e-4), "glue-cola": (200, 64, 5e-4), "glue-stsb": (40, 16, 5e-4),
             "glue-mrpc": (40, 8, 5e-4), "glue-rte": (200, 32, 5e-4)}
    assert set(table) == set(SPEC.task_options)
    for task, expected in table.items():
        training = method_options(registry(), SPEC, SPEC.task_options[task])["training"]
        assert (training["epochs"], training["batch_size"], training["learning_rate"]) == expected
        assert (training["warmup"], training["schedule"], training["weight_decay"]) == (0.1, "linear", 0.01)
        assert (training["crops"], training["crop_bank"], training["final_learning_rate"]) == (1, None, 0)


def test_records_of_pictures_keep_their_identity() -> None:
    records = sorted((ROOT / "results" / "records" / "imagenet").glob("variation-*.json"))
    plain = [record for path in records if not (record := json.loads(path.read_text()))["options"]]
    assert plain
    for record in plain:
        assert record["asked"]["configuration"] == method_options(registry(), SPEC, {})


def test_table_3_and_its_averages() -> None:
    """The notes give the mean of the nine columns, and of the eight without MNLI-mm."""
    text = (ROOT / "plugins" / "variation" / "published.csv").read_text(encoding="utf-8")
    table = [row for row in csv.DictReader(text.splitlines()) if row["dataset"] == "GLUE" and row["table"] == "Table 3"]
    columns: dict[str, dict[tuple[str, str], float]] = defaultdict(dict)
    averages = {}
    for row in table:
        if row["task"] == "glue":
            averages[row["method"]] = row
        elif row["value"]:
            columns[row["method"]][row["task"], row["metric"]] = float(row["value"])
    assert len(averages) == 8
    assert {row["task"] for row in table} == {"glue", *SPEC.task_options}
    for method, row in averages.items():
        nine = list(columns[method].values())
        assert len(nine) == (8 if method == "bebert" else 9)
        eight = [value for column, value in columns[method].items() if column[1] != "accuracy_mm"]
        for values, word in ((nine, "with MNLI-mm"), (eight, "without")):
            said = float(row["note"].split(f"{word} ")[1].split(",")[0])
            assert said == pytest.approx(sum(values) / len(values), abs=0.051)
    assert "wrong" in averages["binarybert"]["note"]
    assert {row["bits"] for row in table} == {"32/32", "1/1/1"}
