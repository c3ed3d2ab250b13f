"""From a request to a concrete task: data, checkpoint, fingerprint, and what is said of them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from glue_files import VOCABULARY, rows, tsv, write_tsv
from tiny_bert import write_checkpoint

from harness import DataError, TaskRequest, UnknownNameError
from harness_tasks.language import resolve as resolve_module
from harness_tasks.language.bert_models import BERT_MODELS
from harness_tasks.language.glue_tasks import GLUE_TASKS
from harness_tasks.language.resolve import resolve

RTE, MNLI = GLUE_TASKS["glue-rte"], GLUE_TASKS["glue-mnli"]
LABELS = {"id2label": {0: "entailment", 1: "not_entailment"}}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_tsv(tmp_path / "glue", RTE)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "checkpoint", **LABELS)


def asked(data: Path, **more: Any) -> TaskRequest:
    return TaskRequest("glue-rte", data=str(data), **{key: str(value) for key, value in more.items()})


def test_mini_unless_data_is_configured(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mini = resolve(TaskRequest("glue-rte", weights="random"))
    assert (mini.scale, mini.model, mini.weights_hash, mini.published) == ("mini", "bert_mini", "random:0", None)
    assert mini.notice.startswith("MINI scale: a small generated language in the form of RTE")
    full = resolve(asked(data, weights="random:7"))
    assert (full.scale, full.model, full.weights_hash) == ("full", "bert-base", "random:7")
    assert "RANDOM weights" in full.notice
    monkeypatch.setenv("HARNESS_GLUE", str(data))
    assert resolve(TaskRequest("glue-rte", weights="random:7")) == full
    assert resolve(TaskRequest("glue-rte", scale="mini", weights="random")) == mini
    assert resolve(TaskRequest("glue-rte", model="bert_mini", weights="random")) == mini


def test_mini_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {name: resolve(TaskRequest(name, weights="random")).fingerprint for name in GLUE_TASKS}
    assert len(set(found.values())) == 8
    assert resolve(TaskRequest("glue-rte", weights="random:1")).fingerprint == found["glue-rte"]
    monkeypatch.setattr(resolve_module, "LANGUAGE_VERSION", "another")
    assert resolve(TaskRequest("glue-rte", weights="random")).fingerprint != found["glue-rte"]


def test_unofficial_sizes_are_said(tmp_path: Path, data: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve(asked(data, weights=weights)).notice == (
        "RTE: train has 8 sentences, not the official 2,490; validation has 6 sentences, not the official 277: figures "
        "are not those of papers.")
    official = replace(RTE, train_size=8, validation_sizes=(6,))
    monkeypatch.setattr(resolve_module, "GLUE_TASKS", {"glue-rte": official})
    assert resolve(asked(data, weights=weights)).notice == ""
    folder = write_tsv(tmp_path / "mnli", MNLI)
    (folder / "MNLI" / "dev_mismatched.tsv").unlink()
    monkeypatch.setattr(resolve_module, "GLUE_TASKS", GLUE_TASKS)
    notice = resolve(TaskRequest("glue-mnli", data=str(folder), weights="random")).notice
    assert "there is no validation_mismatched (official: 9,832 sentences)" in notice


def test_texts_that_are_cut_are_counted(data: Path, weights: Path) -> None:
    content = rows(RTE, 4, 50)
    content[1]["sentence1"] = content[3]["sentence2"] = "film " * 200
    (data / "RTE" / "dev.tsv").write_text(tsv(RTE, content))
    resolved = resolve(asked(data, weights=weights))
    assert "2 evaluation texts are longer than 128 tokens and were cut." in resolved.notice


def test_fingerprint_and_hash(data: Path, weights: Path) -> None:
    before = resolve(asked(data, weights=weights))
    assert resolve(asked(data / "RTE", weights=weights)).fingerprint == before.fingerprint, "the same data elsewhere"
    other = write_tsv(data.with_name("more"), RTE, train=9)
    assert resolve(asked(other, weights=weights)).fingerprint != before.fingerprint
    config = weights / "config.json"
    original = config.read_text()
    config.write_text(original.replace('"gelu"', '"relu"'))
    assert resolve(asked(data, weights=weights)).weights_hash != before.weights_hash
    config.write_text(original)
    (weights / "vocab.txt").write_text("\n".join((*VOCABULARY[:-1], "cat")) + "\n")
    again = resolve(asked(data, weights=weights))
    assert again.weights_hash == before.weights_hash
    assert again.fingerprint != before.fingerprint, "other tokens are other inputs"


def test_models_by_name(tmp_path: Path, data: Path, weights: Path) -> None:
    assert resolve(asked(data, weights=weights)).model == "bert-2x32"
    assert resolve(asked(data, weights=weights, model="bert-2x32")).model == "bert-2x32"
    for name in BERT_MODELS:
        assert resolve(asked(data, weights="random", model=name)).model == name
    assert resolve(asked(data, weights="random", model="bert-large-uncased")).model == "bert-large"
    with pytest.raises(UnknownNameError, match="unknown size of BERT 'bert-huge'"):
        resolve(asked(data, weights="random", model="bert-huge"))
    with pytest.raises(DataError, match="is a bert-2x32, not a bert-base") as error:
        resolve(asked(data, weights=weights, model="bert-base"))
    assert "--model bert-2x32" in error.value.remedy
    named = write_checkpoint(tmp_path / "tiny", **LABELS, **BERT_MODELS["bert-tiny"].configuration)
    assert resolve(asked(data, weights=named)).model == "bert-tiny"
    with pytest.raises(UnknownNameError, match="model of the full scale"):
        resolve(asked(data, weights="random", model="bert_mini"))
    with pytest.raises(DataError, match="needs the sentences of RTE"):
        resolve(TaskRequest("glue-rte", model="bert-base", scale="mini"))
    with pytest.raises(UnknownNameError, match="model of the mini scale"):
        resolve(TaskRequest("glue-rte", model="gpt"))
    with pytest.raises(DataError, match="--data has no meaning"):
        resolve(TaskRequest("glue-rte", scale="mini", data=str(data)))


def test_a_folder_of_checkpoints(tmp_path: Path, data: Path) -> None:
    write_checkpoint(tmp_path / "all" / "RTE", **LABELS)
    resolved = resolve(asked(data, weights=tmp_path / "all"))
    assert Path(resolved.locations["weights"]) == tmp_path / "all" / "RTE"


def test_where_the_vocabulary_comes_from(tmp_path: Path, data: Path) -> None:
    bare = write_checkpoint(tmp_path / "bare", vocabulary=False, **LABELS)
    assert resolve(asked(data, weights=bare)).locations["vocabulary"] == str(data / "vocab.txt")
    (data / "vocab.txt").rename(data / "RTE" / "vocab.txt")
    assert resolve(asked(data, weights="random")).locations["vocabulary"] == str(data / "RTE" / "vocab.txt")
    (data / "RTE" / "vocab.txt").write_text("\n".join(VOCABULARY[:-1]))
    with pytest.raises(DataError, match="has 19 tokens, the model's word embedding 20 rows"):
        resolve(asked(data, weights=bare))
    (data / "RTE" / "vocab.txt").unlink()
    with pytest.raises(DataError, match="no vocabulary to encode sentences with"):
        resolve(asked(data, weights=bare))


def test_fewer_positions_than_the_task_has_tokens(tmp_path: Path, data: Path) -> None:
    short = write_checkpoint(tmp_path / "short", max_position_embeddings=9, **LABELS)
    resolved = resolve(asked(data, weights=short))
    assert resolved.locations["length"] == 9
    assert "longer than 9 tokens" in resolved.notice


def test_label_maps(tmp_path: Path, data: Path) -> None:
    turned = write_checkpoint(tmp_path / "turned", id2label={0: "NOT_ENTAILMENT", 1: "ENTAILMENT"})
    resolved = resolve(asked(data, weights=turned))
    assert resolved.locations["answers"] == (1, 0)
    unnamed = write_checkpoint(tmp_path / "unnamed")
    assert "GLUE's order is ASSUMED" in resolve(asked(data, weights=unnamed)).notice
    mnli = write_tsv(tmp_path / "mnli", MNLI)
    textattack = write_checkpoint(tmp_path / "textattack-bert", num_labels=3)
    found = resolve(TaskRequest("glue-mnli", data=str(mnli), weights=str(textattack)))
    assert found.locations["answers"] == (1, 2, 0)
    assert "TextAttack's checkpoint: its labels are contradiction, entailment, neutral." in found.notice
    with pytest.raises(DataError, match="answers with 3 numbers, RTE needs 2"):
        resolve(asked(data, weights=textattack))


def rewritten(folder: Path, **changed: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changed}))


def test_checkpoints_that_cannot_be_used(tmp_path: Path, data: Path, weights: Path) -> None:
    rewritten(weights, architectures=["BertModel"])
    with pytest.raises(DataError, match="is a BertModel: it has no classifier for RTE") as error:
        resolve(asked(data, weights=weights))
    assert f"harness_tasks.language.finetune --encoder {weights}" in error.value.remedy
    assert "--task glue-rte" in error.value.remedy
    rewritten(weights, model_type="roberta")
    with pytest.raises(DataError, match="of a model of type 'roberta'"):
        resolve(asked(data, weights=weights))
    (weights / "config.json").write_text("[")
    with pytest.raises(DataError, match=r"config\.json cannot be read"):
        resolve(asked(data, weights=weights))
    (write_checkpoint(tmp_path / "half", **LABELS) / "model.safetensors").unlink()
    with pytest.raises(DataError, match=r"no model\.safetensors and no pytorch_model\.bin"):
        resolve(asked(data, weights=tmp_path / "half"))
    with pytest.raises(DataError, match="no checkpoint folder"):
        resolve(asked(data, weights=tmp_path / "nowhere"))


def test_the_hub(data: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for: list[tuple[str, bool]] = []

    def snapshot_download(repository: str, allow_patterns: list[str], local_files_only: bool) -> str:
        asked_for.append((repository, local_files_only))
        if repository != "textattack/bert-base-uncased-RTE":
            raise FileNotFoundError("no such repository")
        return str(weights)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    assert resolve(asked(data)).locations["weights"] == str(weights), "the papers' teacher, where it is in the cache"
    resolve(asked(data, weights="hub"))
    assert asked_for == [("textattack/bert-base-uncased-RTE", True), ("textattack/bert-base-uncased-RTE", False)]
    with pytest.raises(DataError, match="me/mine cannot be downloaded: no such repository"):
        resolve(asked(data, weights="hub:me/mine"))
    for more in ({}, {"weights": "hub"}):
        with pytest.raises(DataError, match="which checkpoint of bert-tiny"):
            resolve(asked(data, model="bert-tiny", **more))


def test_no_weights_and_no_cache(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty"))
    with pytest.raises(DataError, match="textattack/bert-base-uncased-RTE is not in this machine's") as error:
        resolve(asked(data))
    assert "finetune" in error.value.remedy


def test_evaluation_is_not_the_train_split(data: Path, weights: Path) -> None:
    (data / "RTE" / "dev.tsv").write_bytes((data / "RTE" / "train.tsv").read_bytes())
    with pytest.raises(DataError, match="the same sentences"):
        resolve(asked(data, weights=weights))


def test_resolving_is_light(data: Path, weights: Path) -> None:
    code = ("import sys\nfrom harness import TaskRequest\nfrom harness_tasks.language.resolve import resolve\n"
            f"resolve(TaskRequest('glue-rte', data={str(data)!r}, weights={str(weights)!r}))\n"
            "loaded = {'torch', 'transformers', 'datasets', 'scipy', 'sklearn', 'pandas'} & set(sys.modules)\n"
            "assert not loaded, loaded")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
