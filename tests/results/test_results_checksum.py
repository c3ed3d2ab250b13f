"""A record that was changed by hand is refused; one that was only laid out anew is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from made_records import make_record

from harness.results.checksum import opened, sealed
from harness.results.record import DamagedRecordError, Record


def _more(data: dict[str, Any]) -> None:
    data["metrics"]["top1"] += 0.01


def _notice(data: dict[str, Any]) -> None:
    data["notice"] = "as good as full scale"


def _less(data: dict[str, Any]) -> None:
    del data["costs"]


def _its_own(data: dict[str, Any]) -> None:
    data["checksum"] = "0" * 64


def _none(data: dict[str, Any]) -> None:
    data["checksum"] = None


@pytest.mark.parametrize("change", [_more, _notice, _less, _its_own, _none])
def test_a_change_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    data = json.loads(sealed(make_record().to_json()))
    change(data)
    with pytest.raises(DamagedRecordError, match=r"x\.json: changed after it was written"):
        Record.from_json(json.dumps(data), "x.json")


def test_layout_does_not_matter() -> None:
    record = make_record(notes={"é": [1.5, "ü"]})
    text = sealed(record.to_json())
    assert text.endswith("}\n")
    assert len(json.loads(text)["checksum"]) == 64
    for other in (text, json.dumps(json.loads(text)), json.dumps(dict(reversed(json.loads(text).items())), indent=4)):
        assert Record.from_json(other) == record


def test_a_record_without_a_checksum_is_as_good_as_before() -> None:
    assert opened({"a": 1}) == {"a": 1}
    assert Record.from_json(make_record().to_json()) == make_record()
