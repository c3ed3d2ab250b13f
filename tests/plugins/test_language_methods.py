"""Every method that is here runs on BERT, words and all; those that cannot say why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from language_cases import answers, language_context, method_of, run

from harness import Bits, Context, Identity, QuantizationError
from harness.registry import registry

#: What a method needs on language that is not its default; the tasks of GLUE give `variation` the same.
OPTIONS: dict[str, dict[str, Any]] = {
    "variation": {"losses": ["kd", "hidden", {"name": "obr", "start": 0.0}], "scope": "no_head",
                  "first_last_bits": None, "training": {"crops": 1, "crop_bank": None}}}
#: Smaller searches, so that it takes seconds.
QUICK: dict[str, dict[str, Any]] = {
    "igqvit": {"g": 2, "search": {"iterations": 4, "allocate_every": 2, "groups_set": [1, 2], "images": 2}},
    "bitsplit": {"search": {"plane_epochs": 2, "response_epochs": 1}}}
METHODS = sorted(name for name, spec in registry().methods.items() if spec.paper and 4 in spec.weight_bits)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.parametrize("bits", [Bits(4, 4), Bits(8, 8, 8)], ids=str)
@pytest.mark.parametrize("name", METHODS)
def test_every_method_runs(name: str, bits: Bits) -> None:
    context = run(name, bits, **OPTIONS.get(name, {}), **QUICK.get(name, {}))
    assert bool(torch.isfinite(answers(context)).all())


@pytest.mark.parametrize("name", METHODS)
def test_words_are_quantized_where_they_are_asked_for(name: str) -> None:
    """To the bits of the embeddings, not to those of the weights; tables of positions and types never."""
    def bits_of(bits: Bits, table: str) -> float:
        context = placed(name, bits)
        return context.model.quantizer(f"bert.embeddings.{table}.weight").mean_bits

    assert bits_of(Bits(8, 8), "word_embeddings") == 32
    assert bits_of(Bits(8, 8, 4), "word_embeddings") == 4
    assert bits_of(Bits(8, 8, 4), "position_embeddings") == bits_of(Bits(8, 8, 4), "token_type_embeddings") == 32


def placed(name: str, bits: Bits, **options: Any) -> Context:
    method = method_of(name, {**OPTIONS.get(name, {}), **options})
    context = language_context(bits, method)
    method.place(context)
    return context


#: Methods that give other bits by design: attention products (and the pooler) at 8; learned bits, from one more.
OTHER_BITS = {"ocs_qat": {5, 8}, "quantformer": {5, 8}, "qvit": {6}}


@pytest.mark.parametrize("name", METHODS)
def test_all_layers_are_quantized_and_none_is_taken_for_the_first(name: str) -> None:
    """The classifier may stay as it is, or keep its own bits."""
    context = placed(name, Bits(5, 5))
    bits = {path: quantizer.mean_bits for path, quantizer in context.model.quantizers.items()
            if not isinstance(quantizer, Identity) and not path.startswith("classifier.")}
    assert bits.keys() == {path for path, site in context.model.sites.items() if not path.startswith("classifier.")
                           and site.role not in ("embedding", "word_embedding")}
    assert set(bits.values()) == OTHER_BITS.get(name, {5})


def test_pictures_soft_labels_are_refused() -> None:
    with pytest.raises(QuantizationError, match="class probabilities of pictures") as error:
        run("variation", Bits(4, 4))
    assert error.value.remedy == "Use the loss kd"


@pytest.mark.parametrize("search", ["haq", "edmips", "hawq", "fracbits"])
def test_searches_of_bits_run(search: str) -> None:
    options = {"episodes": 3, "warmup": 2} if search == "haq" else {}
    context = run("minmax", Bits(4, 4), mixed={"name": search, **options})
    assert context.allocation
    assert bool(torch.isfinite(answers(context)).all())
