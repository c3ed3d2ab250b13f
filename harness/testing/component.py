"""Laws for components of every kind: their description, their code, their options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from ..errors import OptionError
from ..options import Options, merged, mutable_option, resolve
from ..registry import registry
from .law import Conformance, law, require

_UNKNOWN = "no_such_option_anywhere"


class ComponentLaws(Conformance):
    """What holds of every component. ``options``: what it is tried with, in place of its own or its spec's."""

    options: ClassVar[Mapping[str, Any]] = {}

    @property
    def tried(self) -> dict[str, Any]:
        """The options that the laws try it with."""
        return merged(self.spec.checked_with, self.options)

    @law("Give factory as \"module:attribute\" (a leading dot: in the plugin's package), and install what it imports")
    def test_its_code_can_be_loaded(self) -> None:
        if self.spec.factory:  # a suite of tasks has no code
            require(callable(registry().component(self.spec)), f"{self.spec.factory} cannot be called")

    @law("Say in summary what it does, in one line")
    def test_it_is_summed_up_in_a_line(self) -> None:
        require(bool(self.spec.summary.strip()), "the summary is empty")
        require("\n" not in self.spec.summary, "the summary has several lines")

    @law("Give each option of the class Field(..., description=\"what it does\")")
    def test_every_option_has_a_description(self) -> None:
        for name, field in _fields(self.spec.options):
            require(bool(field.description), f"the option {name} has no description")

    @law("Use tuples instead of lists, and keep the class frozen as harness.Options is")
    def test_no_option_is_mutable(self) -> None:
        require(not (mutable := mutable_option(self.spec.options)), mutable)

    @law("Leave extra=\"forbid\" of harness.Options as it is: a misspelt option must not be passed over")
    def test_an_unknown_option_is_refused(self) -> None:
        try:
            self.resolved({_UNKNOWN: 1})
        except OptionError as error:
            require(bool(error.remedy), f"the refusal names no option that exists: {error.message}")
            return
        require(False, f"an option {_UNKNOWN!r} was accepted")

    @law("Give the option a type (int, Literal[...], tuple[str, ...], bounds such as ge=1), not Any")
    def test_an_option_of_a_wrong_type_is_refused(self) -> None:
        """Every option refuses at least one of: a nested mapping, a text, a number."""
        for name, field in self.spec.options.model_fields.items():
            for wrong in ({_UNKNOWN: {_UNKNOWN: 1}}, [[_UNKNOWN]], _UNKNOWN, -1e99):
                try:
                    self.resolved({name: wrong})
                except OptionError as error:
                    require(name in error.message, f"the refusal of {name} does not name it: {error.message}")
                    break
                except ValidationError as error:  # pragma: no cover - resolve words these
                    require(False, f"{name}: {error}")
            else:
                require(False, f"the option {name} accepts anything; it is {field.annotation}")

    @law("Word what the options' validators raise as ValueError, or harness.OptionError with a remedy")
    def test_the_defaults_are_valid(self) -> None:
        required = [name for name, field in self.spec.options.model_fields.items() if field.is_required()]
        require(not required, f"the option {required[:1]} has no default")
        self.resolved({})

    def resolved(self, given: dict[str, Any]) -> Options:
        """The component's options with what is ``given``."""
        return resolve(self.spec.options, given, f"{self.kind} {self.name}")


def _fields(options: type[Options], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in options.model_fields.items():
        yield prefix + name, field
        if isinstance(field.default, Options):
            yield from _fields(type(field.default), f"{prefix}{name}.")
