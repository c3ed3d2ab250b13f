"""The fine-tuning script: what it writes can be used, is the same every time, and learns."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

import pytest
import torch
from glue_files import VOCABULARY, rows, tsv, write_tsv
from safetensors.torch import load_file
from tiny_bert import configuration

from harness import TaskRequest
from harness_tasks.language.bert_checkpoints import encoder_model
from harness_tasks.language.checkpoint_folder import read_folder
from harness_tasks.language.finetune import batches, learning_rate_factor, main
from harness_tasks.language.glue_tasks import GLUE_TASKS
from harness_tasks.language.resolve import resolve

from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertForMaskedLM, BertModel  # isort: skip

SST2, STSB = GLUE_TASKS["glue-sst2"], GLUE_TASKS["glue-stsb"]


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    BertModel(configuration()).save_pretrained(tmp_path / "encoder")
    (tmp_path / "encoder" / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    return tmp_path / "encoder"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Sentiment by the words good and bad, so that a tiny model learns it at once."""
    folder = write_tsv(tmp_path / "glue", SST2, vocabulary=False)
    for name, count, first in (("train", 96, 0), ("dev", 24, 500)):
        content = rows(SST2, count, first)
        for row in content:
            row["sentence"] = f"the film is {('bad', 'good')[row['label']]} {'a ' * (row['idx'] % 5)}"
        (folder / "SST-2" / f"{name}.tsv").write_text(tsv(SST2, content))
    return folder


def words(encoder: Path, data: Path, output: Path, **more: object) -> list[str]:
    options = {"epochs": 3, "learning-rate": 3e-3, "batch-size": 8, **{key.replace("_", "-"): value
                                                                      for key, value in more.items()}}
    return ["--encoder", str(encoder), "--data", str(data), "--task", "glue-sst2", "--output", str(output),
            *(str(word) for key, value in options.items() for word in (f"--{key}", value))]


def test_it_learns_and_writes_what_others_read(encoder: Path, data: Path, tmp_path: Path,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    main(words(encoder, data, tmp_path / "out"))
    assert "accuracy 100.00" in capsys.readouterr().out
    record = json.loads((tmp_path / "out" / "finetune.json").read_text())
    assert record["metrics"] == {"accuracy": 100.0}
    assert (record["task"], record["train_sentences"]) == ("glue-sst2", 96)
    resolved = resolve(TaskRequest("glue-sst2", data=str(data), weights=str(tmp_path / "out")))
    assert "ASSUMED" not in resolved.notice
    assert resolved.locations["answers"] == (0, 1)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out").eval()
    with torch.no_grad():
        answers = model(**tokenizer(["the film is good", "the film is bad"], return_tensors="pt")).logits.argmax(1)
    assert [model.config.id2label[answer] for answer in answers.tolist()] == ["positive", "negative"]
    assert (tmp_path / "out" / "model.safetensors").stat().st_mode & 0o044 == 0o044
    assert not (tmp_path / "out.part").exists()


def test_the_same_command_gives_the_same_weights(encoder: Path, data: Path, tmp_path: Path) -> None:
    found = []
    for number, more in enumerate(({}, {}, {"seed": 1}, {"examples": 40})):
        torch.rand(number)  # whatever happened before
        main(words(encoder, data, tmp_path / str(number), epochs=1, **more))
        found.append(load_file(tmp_path / str(number) / "model.safetensors"))
    first, again, *others = found
    assert all(torch.equal(first[name], again[name]) for name in first)
    for other in others:
        assert not torch.equal(first["classifier.weight"], other["classifier.weight"])
    assert json.loads((tmp_path / "3" / "finetune.json").read_text())["train_sentences"] == 40


def test_an_encoder_with_another_head(encoder: Path) -> None:
    """A language model has no pooler and a head of its own; an encoder's names have no prefix."""
    torch.manual_seed(1)
    language_model = BertForMaskedLM(configuration())
    language_model.save_pretrained(encoder.with_name("masked"))
    for folder, bert in ((encoder, BertModel.from_pretrained(encoder)),
                         (encoder.with_name("masked"), language_model.bert)):
        model = encoder_model(read_folder(folder), STSB, seed=3)
        assert model.classifier.weight.shape == (1, 32)
        found = model.bert.state_dict()
        for name, value in bert.state_dict().items():
            assert torch.equal(found[name], value)
    again = encoder_model(read_folder(encoder), STSB, seed=3)
    assert torch.equal(again.classifier.weight, model.classifier.weight)


@pytest.mark.parametrize(("change", "message"), [
    ("output", "exists already"), ("encoder", "no checkpoint folder"),
    ("vocabulary", "no tokenizer.json and no vocab.txt"), ("data", "which is not a folder")])
def test_mistakes(encoder: Path, data: Path, tmp_path: Path, change: str, message: str) -> None:
    given = {"encoder": encoder, "data": data, "output": tmp_path / "out"}
    if change == "output":
        given["output"].mkdir()
    elif change == "vocabulary":
        (encoder / "vocab.txt").unlink()
    else:
        given[change] = tmp_path / "nowhere"
    with pytest.raises(SystemExit, match=f"error: .*{message}"):
        main(words(**given))


def test_a_pass_has_every_sample_once_and_little_padding() -> None:
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 60, (1000,), generator=generator)
    first, second = (list(batches(lengths, 8, generator)) for _ in range(2))
    assert sorted(chain(*first)) == list(range(1000))
    assert sorted(chain(*second)) == list(range(1000))
    assert first != second
    padding = sum(int(lengths[batch].max()) * len(batch) for batch in first) / int(lengths.sum())
    assert padding < 1.15, "in batches of any order it is 1.7"
    assert len({len(batch) for batch in first[:-1]}) <= 2


def test_learning_rate() -> None:
    factors = [learning_rate_factor(step, 100) for step in range(100)]
    assert factors[:3] == [0.1, 0.2, pytest.approx(0.3)]
    assert factors[9] == factors[10] == 1.0
    assert factors[55] == pytest.approx(0.5)
    assert factors[99] == pytest.approx(1 / 90)
    assert learning_rate_factor(0, 1) == 1.0
