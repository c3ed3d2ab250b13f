"""Tokens against transformers' own tokenizer, padding, and the cache."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from glue_files import VOCABULARY, rows
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import DataError, cache_folder
from harness.torchvision_compat import ensure_torchvision
from harness_tasks.language.encoded_cache import encoded
from harness_tasks.language.encoding import Encoding, checked_encoding
from harness_tasks.language.glue_tasks import GLUE_TASKS
from harness_tasks.language.padding import padded
from harness_tasks.language.split import GlueSplit, made_split
from harness_tasks.language.tokenizer import read_tokenizer, tokenizer_of

ensure_torchvision()
from transformers import BertTokenizerFast  # noqa: E402

RTE, SST2 = GLUE_TASKS["glue-rte"], GLUE_TASKS["glue-sst2"]
TEXTS = st.lists(st.sampled_from([*"filmdogs thé ĀB中\"' .\t", "the ", "dogs ", "film "]), max_size=40).map("".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5), st.booleans(), st.booleans(), st.integers(5, 40))
def test_tokens_are_those_of_transformers(texts: list[tuple[str, str]], pair: bool, lowercase: bool, length: int
                                          ) -> None:
    theirs = BertTokenizerFast(vocab=dict(zip(VOCABULARY, range(len(VOCABULARY)), strict=True)),
                               do_lower_case=lowercase)
    expected = theirs([first for first, _ in texts], [second for _, second in texts] if pair else None,
                      truncation="longest_first", max_length=length, padding=True, return_tensors="pt")
    encoding = Encoding(tokenizer_of(VOCABULARY, lowercase), RTE if pair else SST2, length)
    columns = encoding.encode([{"sentence1": first, "sentence2": second, "sentence": first} for first, second in texts])
    found = padded(columns, range(len(texts)))
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


def test_long_and_empty_texts() -> None:
    encoding = Encoding(tokenizer_of(VOCABULARY), RTE, 8)
    found = encoding.encode([{"sentence1": "the film is good", "sentence2": "no"},
                             {"sentence1": "the film is good", "sentence2": "no one"},
                             {"sentence1": "", "sentence2": ""}, {"sentence1": None, "sentence2": "dog"}])
    assert found.truncated == 1
    assert found.lengths.tolist() == [8, 8, 3, 4]
    assert found.firsts.tolist() == [6, 5, 2, 2]
    assert " ".join(VOCABULARY[token] for token in found.row(1)) == "[CLS] the film is [SEP] no one [SEP]"


def test_padding_to_a_length() -> None:
    found = Encoding(tokenizer_of(VOCABULARY), SST2).encode([{"sentence": "bad film"}, {"sentence": "dog"}])
    batch = padded(found, [1], 6)
    assert batch["input_ids"].tolist() == [[2, VOCABULARY.index("dog"), 3, 0, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0, 0, 0]]
    assert batch["token_type_ids"].sum() == 0
    assert padded(found, [1, 0])["input_ids"].shape == (2, 4)


def test_many_rows_are_encoded_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    encoding, content = Encoding(tokenizer_of(VOCABULARY), RTE), rows(RTE, 11)
    whole = encoding.encode(content)
    monkeypatch.setattr("harness_tasks.language.encoding._CHUNK", 4)
    pieces = encoding.encode(content)
    for name in ("tokens", "ends", "firsts"):
        assert np.array_equal(getattr(whole, name), getattr(pieces, name))


def write_vocabulary(folder: Path, tokens: tuple[str, ...] = VOCABULARY) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    return folder


def test_both_files_of_a_vocabulary_are_one_identity(tmp_path: Path) -> None:
    plain = write_vocabulary(tmp_path / "plain")
    tokenizer = BertTokenizerFast(vocab=dict(zip(VOCABULARY, range(len(VOCABULARY)), strict=True)))
    tokenizer(["a b"], truncation=True, max_length=3, padding="max_length")  # what a tokenizer.json may have kept
    tokenizer.save_pretrained(tmp_path / "fast")
    assert (tmp_path / "fast" / "tokenizer.json").is_file()
    encodings = [Encoding(read_tokenizer(place), RTE) for place in (plain, plain / "vocab.txt", tmp_path / "fast")]
    assert len({encoding.identity for encoding in encodings}) == 1
    content = rows(RTE, 9)
    assert len({encoding.encode(content).tokens.tobytes() for encoding in encodings}) == 1


def test_identity_sees_what_decides_tokens(tmp_path: Path) -> None:
    folder = write_vocabulary(tmp_path)
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    others = [Encoding(tokenizer_of(VOCABULARY), RTE, 64), Encoding(tokenizer_of(VOCABULARY), SST2, 128),
              Encoding(tokenizer_of((*VOCABULARY, "new")), RTE), Encoding(read_tokenizer(folder), RTE),
              Encoding(tokenizer_of((*VOCABULARY[:-2], VOCABULARY[-1], VOCABULARY[-2])), RTE),
              Encoding(tokenizer_of(VOCABULARY), RTE)]
    assert len({encoding.identity for encoding in others}) == len(others)


@pytest.mark.parametrize(("tokens", "message"), [
    ((*VOCABULARY, "the"), "has a token twice"),
    (tuple(token for token in VOCABULARY if token != "[CLS]"), r"has no \[CLS\]"),
    (("<s>", "</s>", "a"), r"has no \[PAD\], \[UNK\], \[CLS\], \[SEP\]")])
def test_a_vocabulary_that_is_not_berts(tmp_path: Path, tokens: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        read_tokenizer(write_vocabulary(tmp_path, tokens))
    assert "vocab.txt" in error.value.message


def test_vocabularies_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no tokenizer.json and no vocab.txt"):
        read_tokenizer(tmp_path)
    (tmp_path / "vocab.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"vocab.txt cannot be read"):
        read_tokenizer(tmp_path)
    write_vocabulary(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(DataError, match=r"tokenizer_config.json cannot be read"):
        read_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(DataError, match=r"tokenizer.json cannot be read"):
        read_tokenizer(tmp_path)


def test_a_vocabulary_of_another_size_than_the_embedding(tmp_path: Path) -> None:
    write_vocabulary(tmp_path)
    assert checked_encoding(tmp_path, RTE, len(VOCABULARY), 512).max_length == 128
    assert checked_encoding(tmp_path, RTE, None, 40).max_length == 40
    with pytest.raises(DataError, match=r"has 20 tokens, the model's word embedding 30,522 rows"):
        checked_encoding(tmp_path, RTE, 30_522, 512)


def split_of(count: int = 7) -> GlueSplit:
    return made_split("validation", RTE, rows(RTE, count), "made")


def test_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    encoding, calls = Encoding(tokenizer_of(VOCABULARY), RTE, 8), []
    encode = Encoding.encode

    def counted(self: Encoding, content: Any) -> Any:
        calls.append(1)
        return encode(self, content)

    monkeypatch.setattr(Encoding, "encode", counted)
    first = encoded(split_of(), encoding)
    again = encoded(split_of(), Encoding(tokenizer_of(VOCABULARY), RTE, 8))
    assert len(calls) == 1
    assert first.truncated == again.truncated > 0
    for name in ("tokens", "ends", "firsts"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    encoded(split_of(6), encoding)
    encoded(split_of(), Encoding(tokenizer_of(VOCABULARY), RTE, 9))
    assert len(calls) == 3, "other sentences and another length have entries of their own"

    folder = cache_folder("language/tokens")
    assert folder is not None
    files = sorted(folder.iterdir())
    assert len(files) == 3
    assert all(file.suffix == ".npz" for file in files), "nothing half written"
    for file in files:
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 0xFF
        file.write_bytes(content[:-9] if file is files[0] else content)
    assert encoded(split_of(), encoding).tokens.tolist() == first.tokens.tolist()
    assert len(calls) == 4, "a damaged entry is made again"
    encoded(split_of(), encoding)
    assert len(calls) == 4


def test_without_a_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness_tasks.language.encoded_cache.cache_folder", lambda name: None)
    assert len(encoded(split_of(), Encoding(tokenizer_of(VOCABULARY), RTE))) == 7
