"""Faults that a component of any kind may have: in its description and its options."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, model_validator

from harness import OptionError, Options

from . import Fault


class Undescribed(Options):
    depth: int = 3


class Mutable(Options):
    layers: list[int] = Field([], description="layers")


class Thawed(Options):
    model_config = ConfigDict(frozen=False)

    depth: int = Field(3, description="depth")


class Careless(Options):
    model_config = ConfigDict(extra="ignore")


class Gruff(Options):
    depth: int = Field(3, description="depth")

    @model_validator(mode="before")
    @classmethod
    def _look(cls, given: Any) -> Any:
        if given:
            raise OptionError("no")
        return given


class Untyped(Options):
    depth: Any = Field(3, description="depth")


class OutOfBounds(Options):
    depth: int = Field(3, ge=4, description="depth")


class Required(Options):
    depth: int = Field(description="depth")


FAULTS = (
    Fault("code that is not there", "test_its_code_can_be_loaded", "cannot load", {"factory": "faulty:Nowhere"}),
    Fault("no function", "test_its_code_can_be_loaded", "cannot be called", {"factory": "faulty:__name__"}),
    Fault("no summary", "test_it_is_summed_up_in_a_line", "empty", {"summary": " "}),
    Fault("a long summary", "test_it_is_summed_up_in_a_line", "several lines", {"summary": "a\nb"}),
    Fault("an undescribed option", "test_every_option_has_a_description", "depth", {"options": Undescribed}),
    Fault("a mutable default", "test_no_option_is_mutable", "has the mutable default []", {"options": Mutable}),
    Fault("options that can be changed", "test_no_option_is_mutable", "not frozen", {"options": Thawed}),
    Fault("any option accepted", "test_an_unknown_option_is_refused", "was accepted", {"options": Careless}),
    Fault("a refusal without remedy", "test_an_unknown_option_is_refused", "names no option", {"options": Gruff}),
    Fault("a refusal that names nothing", "test_an_option_of_a_wrong_type_is_refused", "does not name it",
          {"options": Gruff}),
    Fault("any value accepted", "test_an_option_of_a_wrong_type_is_refused", "accepts anything", {"options": Untyped}),
    Fault("a default out of bounds", "test_the_defaults_are_valid", "greater than or equal to 4",
          {"options": OutOfBounds}),
    Fault("an option without default", "test_the_defaults_are_valid", "depth", {"options": Required}),
)
