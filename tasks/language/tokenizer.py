"""BERT's WordPiece tokenizer, from a checkpoint's folder or from a list of tokens. Light: no torch.

It is the library under transformers' fast tokenizers, so both give the same tokens; tests compare them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness import DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

VOCABULARY_FILE = "vocab.txt"
TOKENIZER_FILE = "tokenizer.json"
SETTINGS_FILE = "tokenizer_config.json"

_NEEDED = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def tokenizer_of(vocabulary: Sequence[str], lowercase: bool = True, source: str = "the vocabulary") -> Tokenizer:
    """The tokenizer of a list of WordPiece tokens, whose ids are their places.

    ``lowercase`` also strips accents, as in BERT. Raises :class:`harness.DataError` that names ``source`` where
    a token is there twice, or one of BERT's special tokens is missing.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    ids = {token: place for place, token in enumerate(vocabulary)}
    if len(ids) != len(vocabulary):
        raise DataError(f"{source} has a token twice", "Give the vocab.txt that the model was trained with")
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return _for_bert(tokenizer, source)


def read_tokenizer(place: Path) -> Tokenizer:
    """The tokenizer of a checkpoint's folder (``tokenizer.json``, else ``vocab.txt``), or of a vocabulary file.

    Raises :class:`harness.DataError` where there is none, where it cannot be read, and where it is not BERT's.
    """
    from tokenizers import Tokenizer

    file = tokenizer_files(place)[0]
    if file.name != TOKENIZER_FILE:
        return tokenizer_of(_tokens(file), _lowercase(file.with_name(SETTINGS_FILE)), str(file))
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises Exception itself
        raise DataError(f"{file} cannot be read: {error}", "Get the file again, or give vocab.txt in its place"
                        ) from error
    return _for_bert(tokenizer, str(file))


def tokenizer_files(place: Path) -> list[Path]:
    """The files that decide what :func:`read_tokenizer` gives, the tokenizer's own first."""
    if place.is_file():
        return [place]
    if (file := place / TOKENIZER_FILE).is_file():
        return [file]
    if (file := place / VOCABULARY_FILE).is_file():
        settings = place / SETTINGS_FILE
        return [file, settings] if settings.is_file() else [file]
    raise DataError(f"no {TOKENIZER_FILE} and no {VOCABULARY_FILE} in {place}",
                    "Put the vocabulary that the model was trained with beside its weights")


def _tokens(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read: {error}", "A vocabulary is UTF-8 text, one token a line") from error


def _lowercase(settings: Path) -> bool:
    if not settings.is_file():
        return True
    try:
        return bool(json.loads(settings.read_text(encoding="utf-8")).get("do_lower_case", True))
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(f"{settings} cannot be read: {error}", "Get the file again, or take it away") from error


def _for_bert(tokenizer: Tokenizer, source: str) -> Tokenizer:
    """``tokenizer`` with BERT's frame: ``[CLS] first [SEP]`` or ``[CLS] first [SEP] second [SEP]``."""
    from tokenizers import processors

    missing = [token for token in _NEEDED if tokenizer.token_to_id(token) is None]
    if missing:
        raise DataError(f"{source} has no {', '.join(missing)}: it is not the vocabulary of a BERT model",
                        "Give the vocabulary that the model was trained with")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")])
    tokenizer.no_padding()
    return tokenizer
