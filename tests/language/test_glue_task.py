"""A GLUE task as the engine uses it: model, samples, metric, training, costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from glue_files import rows, write_tsv
from safetensors.torch import load_file
from tiny_bert import tiny_bert, write_checkpoint
from torch import nn
from torch.nn import functional

from harness import DataError, TaskRequest, View, trace
from harness.engine.plan import resolve_task
from harness.engine.runner import kept_samples
from harness.engine.workspace import Workspace
from harness.registry import registry
from harness_tasks.language.glue_tasks import GLUE_TASKS

NAMES = tuple(GLUE_TASKS)


@contextmanager
def no_progress(what: str, total: int) -> Iterator[Callable[..., None]]:
    yield lambda *_: None


def workspace(name: str, tmp_path: Path, batch_size: int = 4, **changed: Any) -> Workspace:
    """The task on tiny data with a tiny checkpoint."""
    task = GLUE_TASKS[name]
    data = write_tsv(tmp_path / f"{name}-data", task, train=40)
    labels = {"id2label": dict(enumerate(task.labels))} if task.labels else {"num_labels": 1}
    weights = write_checkpoint(tmp_path / f"{name}-weights", **{**labels, **changed})
    resolved = resolve_task(registry(), TaskRequest(name, data=str(data), weights=str(weights)))
    return Workspace(resolved, registry(), "cpu", batch_size)


def per_id(space: Workspace, count: int, size: int) -> dict[str, list[float]]:
    """Sample id -> the model's answer."""
    found: dict[str, list[float]] = {}
    for batch in space.evaluation.batches(range(count), size):
        answers = space.task.forward(space.model, batch.inputs)
        for place, answer in zip(batch.positions.tolist(), answers.tolist(), strict=True):
            assert space.evaluation.ids[place] not in found
            found[space.evaluation.ids[place]] = answer
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_task_is_evaluated_and_trained_on(name: str, tmp_path: Path) -> None:
    task, space = GLUE_TASKS[name], workspace(name, tmp_path)
    scores = space.evaluate(space.model, None, no_progress)
    assert tuple(scores.metrics) == task.metrics
    assert next(iter(scores.metrics)) == registry().tasks[name].metric
    instrumented = space.evaluate(space.instrumented().eval(), None, no_progress)
    kept, same = (kept_samples(each) for each in (scores, instrumented))
    assert kept is not None
    assert same is not None
    for name, column in kept.columns().items():
        assert same.columns()[name] == pytest.approx(column, abs=1e-5)
    means = {"accuracy", "accuracy_mm"}
    assert (kept.n, kept.statistic) == (6, "mean" if set(task.metrics) <= means else task.metrics[0])
    assert len(space.calibration(32, 0)) == 32
    batch = space.task.training().batch([View(3, 1), View(0, 7), View(3, 2)])
    wanted = [rows(task, 8)[place]["label"] for place in (3, 0, 3)]
    assert batch.targets.tolist() == pytest.approx(wanted)
    loss, answers = space.task.objective(space.model, batch)
    answers = answers.detach()
    assert answers.shape == (3, task.outputs)
    if task.regression:
        expected = sum((a - b) ** 2 for a, b in zip(answers[:, 0].tolist(), wanted, strict=True)) / 3
    else:
        expected = -sum(torch.log_softmax(row, 0)[label] for row, label in zip(answers, wanted, strict=True)) / 3
    assert loss.item() == pytest.approx(float(expected), rel=1e-4)


def test_scores_do_not_depend_on_the_batches(tmp_path: Path) -> None:
    space = workspace("glue-rte", tmp_path)
    expected = per_id(space, 6, 1)
    assert list(expected) != list(space.evaluation.ids), "sorted by length"
    for size in (2, 4, 99):
        found = per_id(space, 6, size)
        assert found.keys() == expected.keys()
        for name, answer in found.items():
            assert answer == pytest.approx(expected[name], abs=1e-3)
    lengths = [batch.inputs["input_ids"].shape[1] for batch in space.evaluation.batches(range(6), 2)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] < lengths[0]


def test_a_limit_is_the_first_sentences(tmp_path: Path) -> None:
    space = workspace("glue-rte", tmp_path)
    assert sorted(per_id(space, 3, 2)) == ["validation/0", "validation/1", "validation/2"]
    full = space.evaluate(space.model, None, no_progress).per_sample
    assert space.evaluate(space.model, 3, no_progress).per_sample == full[:3]


def test_per_sample_is_right_where_the_answer_is(tmp_path: Path) -> None:
    space = workspace("glue-rte", tmp_path)
    labels = [row["label"] for row in rows(GLUE_TASKS["glue-rte"], 6, 100)]
    answers = per_id(space, 6, 1)
    assert space.evaluate(space.model, None, no_progress).per_sample == tuple(
        float(max(range(2), key=answers[f"validation/{place}"].__getitem__) == label)
        for place, label in enumerate(labels))


def test_mnli_has_two_parts(tmp_path: Path) -> None:
    space = workspace("glue-mnli", tmp_path)
    assert space.evaluation.ids[0] == "validation_matched/0"
    assert space.evaluation.ids[6:8] == ["validation_mismatched/0", "validation_mismatched/1"]
    scores = space.evaluate(space.model, None, no_progress)
    assert len(scores.per_sample) == 6
    assert scores.metrics["accuracy"] == pytest.approx(100 * sum(scores.per_sample) / 6)
    assert list(space.evaluate(space.model, 6, no_progress).metrics) == ["accuracy"]


def test_calibration_keeps_its_order(tmp_path: Path) -> None:
    """Unlike evaluation: what methods compare sample by sample must stay where it was drawn."""
    space = workspace("glue-rte", tmp_path)
    calibration = space.calibration(16, 3)
    alone = [inputs["input_ids"][0] for inputs in calibration.batches(1)]
    together = torch.cat([functional.pad(inputs["input_ids"], (0, 20 - inputs["input_ids"].shape[1]))
                          for inputs in calibration.batches(5)])
    assert len(alone) == len(together) == 16
    for one, row in zip(alone, together, strict=True):
        assert torch.equal(row[:len(one)], one)
    assert not set(calibration.ids) & set(space.evaluation.ids)


def test_divergence(tmp_path: Path) -> None:
    logits, others = torch.randn(4, 2), torch.randn(4, 2)
    rte = workspace("glue-rte", tmp_path).task.divergence(logits, others)
    p, q = logits.double().softmax(-1), others.double().softmax(-1)
    assert float(rte) == pytest.approx(float((p * (p / q).log()).sum(-1).mean()))
    stsb = workspace("glue-stsb", tmp_path).task.divergence(logits[:, :1], others[:, :1])
    assert float(stsb) == pytest.approx(float(((logits[:, 0] - others[:, 0]) ** 2).mean()), rel=1e-6)


@pytest.mark.parametrize(("name", "tokens"), [("glue-rte", 128), ("glue-sst2", 64)])
def test_costs_are_counted_at_full_length(name: str, tokens: int, tmp_path: Path) -> None:
    space = workspace(name, tmp_path)
    operations = trace(space.instrumented(), space.one_forward())
    layer = 4 * tokens * 32 * 32 + 2 * tokens * tokens * 32 + 2 * tokens * 32 * 64
    assert sum(operation.macs for operation in operations) == 2 * layer + 32 * 32 + 32 * 2


def test_answers_are_put_into_glues_order(tmp_path: Path) -> None:
    named = workspace("glue-mnli", tmp_path)
    turned = workspace("glue-mnli", tmp_path / "turned",
                       id2label={0: "contradiction", 1: "entailment", 2: "neutral"})
    batch = next(named.evaluation.batches(range(4), 4))
    plain = named.task.forward(named.model, batch.inputs)
    assert torch.equal(turned.task.forward(turned.model, batch.inputs), plain[:, [1, 2, 0]])


def test_weights_of_older_versions(tmp_path: Path) -> None:
    """A pickle, with gamma and beta for the normalisations, and with buffers among the weights."""
    space = workspace("glue-rte", tmp_path)
    folder = Path(space.resolved.locations["weights"])
    weights = load_file(folder / "model.safetensors")
    old = {name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
           for name, value in weights.items()}
    torch.save({**old, "bert.embeddings.position_ids": torch.arange(128)[None]}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    loaded = space.task.model().state_dict()
    assert loaded.keys() == weights.keys()
    assert all(torch.equal(loaded[name], weights[name]) for name in weights)


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    space = workspace("glue-rte", tmp_path)
    folder = Path(space.resolved.locations["weights"])
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()

    class Code:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (folder / "touched",)

    for content, message in (
            ({name: value for name, value in weights.items() if "classifier" not in name}, "it is an encoder"),
            ({**weights, "classifier.weight": torch.zeros(3, 32)}, "wrong shapes"),
            ({name: value for name, value in weights.items() if "layer.1.output" not in name}, "missing"),
            ({**weights, "code": Code()}, "could run code")):
        torch.save(content, folder / "pytorch_model.bin")
        with pytest.raises(DataError, match=message):
            space.task.model()
    assert not (folder / "touched").exists()


def test_data_that_change_after_the_plan(tmp_path: Path) -> None:
    space = workspace("glue-rte", tmp_path)
    file = Path(space.resolved.locations["data"]) / "RTE" / "dev.tsv"
    file.write_text(file.read_text().replace("film", "dog"))
    fresh = registry().component(registry().tasks["glue-rte"])(space.resolved)
    with pytest.raises(DataError, match="have changed since the run was planned"):
        fresh.evaluation()


def test_random_weights_are_those_of_the_seed(tmp_path: Path) -> None:
    data = write_tsv(tmp_path, GLUE_TASKS["glue-stsb"])
    models: list[nn.Module] = []
    for seed in (1, 1, 2):
        resolved = resolve_task(registry(), TaskRequest("glue-stsb", data=str(data), weights=f"random:{seed}",
                                                        model="bert-tiny"))
        torch.manual_seed(len(models))
        models.append(registry().component(registry().tasks["glue-stsb"])(resolved).model())
    first, same, other = (model.state_dict()["classifier.weight"] for model in models)
    assert first.shape == (1, 128)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert models[0].state_dict()["bert.embeddings.word_embeddings.weight"].shape == (20, 128)


@pytest.mark.parametrize("name", NAMES)
def test_mini_goes_the_same_way(name: str) -> None:
    resolved = resolve_task(registry(), TaskRequest(name, weights="random"))
    space = Workspace(resolved, registry(), "cpu", 32)
    scores = space.evaluate(space.model, 40, no_progress)
    assert tuple(scores.metrics) == tuple(metric for metric in GLUE_TASKS[name].metrics if metric != "accuracy_mm")
    assert len(space.calibration(8, 0)) == 8
    tokens = {operation.rows for operation in trace(space.instrumented(), space.one_forward())
              if operation.role == "fc1"}
    assert tokens == {resolved.locations["length"]}
    assert "[UNK]" not in _shown(space)


def _shown(space: Workspace) -> str:
    from harness_tasks.language.mini_language import VOCABULARY

    batch = next(iter(space.evaluation.batches(range(8), 8)))
    return " ".join(VOCABULARY[token] for row in batch.inputs["input_ids"].tolist() for token in row)


def test_the_fixture_can_fail() -> None:
    """The tiny model tells sentences apart: its logits differ by more than the tolerances here."""
    model = tiny_bert()
    ids = torch.tensor([[2, 5, 6, 3], [2, 9, 7, 3]])
    with torch.no_grad():
        logits = model(input_ids=ids).logits
    assert (logits[0] - logits[1]).abs().max() > 0.05
