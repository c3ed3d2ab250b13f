"""Studies: every option is classified, and the three ways to write one agree."""

from __future__ import annotations

import inspect

import pytest

from harness import Bits, OptionError
from harness.cli.plan import plan
from harness.cli.run import run
from harness.engine.plan import Run
from harness.engine.study import Study, make_study, read_study
from harness.results.record import Asked

ARGUMENT_OF = {"assignments": "set", "study_file": None, "as_json": None}


def test_every_option_is_identity_or_knob():
    for name, field in Study.model_fields.items():
        extra = field.json_schema_extra
        assert isinstance(extra, dict), f"{name} is not classified"
        assert extra["part"] in ("identity", "knob"), name
        assert field.description, name


@pytest.mark.parametrize("command", [run, plan])
def test_every_command_line_option_is_a_field_of_the_study(command):
    arguments = {ARGUMENT_OF.get(name, name) for name in inspect.signature(command).parameters} - {None}
    assert arguments <= set(Study.model_fields)


def test_run_offers_every_field_of_the_study():
    arguments = {ARGUMENT_OF.get(name, name) for name in inspect.signature(run).parameters}
    assert set(Study.model_fields) <= arguments


@pytest.mark.parametrize("knob", [name for name, field in Study.model_fields.items()
                                  if field.json_schema_extra == {"part": "knob"}])
def test_knobs_are_not_in_the_identity(knob):
    assert knob not in Asked.model_fields
    assert knob not in Run.__dataclass_fields__


def test_text_and_lists_mean_the_same():
    as_text = make_study({"methods": "a, b,a", "task": "t", "bits": "4/4,8/8", "seeds": "0,1"})
    as_lists = make_study({"methods": ["a", "b"], "task": ["t"], "bits": ["4/4", "8/8"], "seeds": [0, 1]})
    assert as_text == as_lists
    assert as_text.each_bits == [Bits(4, 4), Bits(8, 8)]


@pytest.mark.parametrize("missing", ["methods", "task"])
def test_a_missing_key_is_said(missing):
    given = {"methods": "a", "task": "t"} | {missing: ""}
    with pytest.raises(OptionError, match=f"no {missing} given"):
        make_study(given)


def test_an_unknown_key_gets_a_suggestion():
    with pytest.raises(OptionError, match="Did you mean 'limit'"):
        make_study({"methods": "a", "task": "t", "limits": 3})


def test_a_file_in_another_encoding_is_not_a_traceback(tmp_path):
    file = tmp_path / "study.toml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OptionError, match="is not TOML"):
        read_study(file)


@pytest.mark.parametrize(("text", "bits"), [("4/8", Bits(4, 8)), ("6", Bits(6, 6)), (" 8/8 ", Bits(8, 8)),
                                          ("2/8/4", Bits(2, 8, 4)), ("8/8/32", Bits(8, 8))])
def test_bits(text, bits):
    assert Bits.parse(text) == bits
    assert Bits.parse(str(bits)) == bits


def test_bits_are_written_with_what_is_quantized():
    assert [str(Bits(4, 8)), str(Bits(1, 1, 1)), str(Bits(8, 8, 32))] == ["4/8", "1/1/1", "8/8"]


@pytest.mark.parametrize("text", ["", "4/", "4/4/4/4", "w4", "-1/4"])
def test_bits_that_are_none(text):
    with pytest.raises(OptionError, match=r"WEIGHTS/ACTIVATIONS\[/EMBEDDINGS\]"):
        Bits.parse(text)
