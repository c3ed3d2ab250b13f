"""Identity: explicit, order-free, versioned."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import OptionError
from harness.results import identity as module
from harness.results.identity import identity
from harness.results.record import Asked, Record

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
PLAIN = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4))


def shuffled(value: object, source: random.Random) -> object:
    """``value`` with the keys of every mapping in another order."""
    if isinstance(value, dict):
        items = list(value.items())
        source.shuffle(items)
        return {key: shuffled(item, source) for key, item in items}
    return [shuffled(item, source) for item in value] if isinstance(value, list) else value


@given(st.dictionaries(st.text(), PLAIN, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(asked: dict[str, object], source: random.Random) -> None:
    assert identity(shuffled(asked, source)) == identity(asked)  # type: ignore[arg-type]


@given(st.dictionaries(st.text(), PLAIN, max_size=4), st.dictionaries(st.text(), PLAIN, max_size=4))
def test_what_was_asked_differently_has_another_identity(one: dict[str, object], other: dict[str, object]) -> None:
    if one != other:
        assert identity(one) != identity(other)


def test_the_hash_is_what_the_documentation_says() -> None:
    text = '{"asked":{"bits":"4/4","seed":0},"identity_version":1}'
    assert identity({"seed": 0, "bits": "4/4"}) == hashlib.sha256(text.encode()).hexdigest()[:12]


def test_the_order_of_a_list_matters() -> None:
    assert identity({"losses": ["kd", "obr"]}) != identity({"losses": ["obr", "kd"]})


def test_a_tuple_is_a_list() -> None:
    assert identity({"losses": ("kd", "obr")}) == identity({"losses": ["kd", "obr"]})


def test_the_version_enters_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    before = identity({"seed": 0})
    monkeypatch.setattr(module, "IDENTITY_VERSION", module.IDENTITY_VERSION + 1)
    assert identity({"seed": 0}) != before


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_an_error_that_says_where(number: float) -> None:
    with pytest.raises(OptionError, match=r"asked\.options\.eps\[1\]"):
        identity({"options": {"eps": [0.0, number]}})


@pytest.mark.parametrize("value", [{1: 2}, {"a": {3}}, {"a": object()}])
def test_what_json_would_change_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(TypeError, match="asked"):
        identity(value)


def test_every_field_of_asked_changes_the_identity() -> None:
    base = {"task": "t", "scale": "mini", "model": "m", "method": "x", "bits": "4/4", "seed": 0, "fingerprint": "f",
            "weights_hash": "w", "calibration_size": 32, "evaluation_limit": None, "configuration": {},
            "budget": ""}
    other = {"task": "u", "scale": "full", "model": "n", "method": "y", "bits": "4/8", "seed": 1, "fingerprint": "g",
             "weights_hash": "v", "calibration_size": 64, "evaluation_limit": 10, "configuration": {"g": 8},
             "budget": "1ep"}
    assert base.keys() == other.keys() == Asked.model_fields.keys()
    identities = {Asked(**{**base, name: value}).identity for name, value in other.items()}
    assert len(identities | {Asked(**base).identity}) == len(base) + 1


def test_no_budget_is_no_part_of_the_identity_nor_of_the_file(make_record: Callable[..., Record]) -> None:
    """Records that were made before there was training stay what they are."""
    record = make_record()
    asked = {name: value for name, value in record.asked.model_dump().items() if name != "budget"}
    assert record.identity == identity(asked)
    assert '"budget"' not in record.to_json()
    trained = record.model_copy(update={"asked": record.asked.model_copy(update={"budget": "1ep"})})
    assert '"budget": "1ep"' in trained.to_json()
    assert Record.from_json(trained.to_json()) == trained
