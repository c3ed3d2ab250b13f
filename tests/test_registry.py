"""The registry: look-up with help, building components, files beside plugins."""

from __future__ import annotations

import pytest

from harness import (
    Choice,
    MethodSpec,
    OptionError,
    PluginError,
    Quantizer,
    QuantizerSpec,
    SearchSpec,
    Uniform,
    UnknownNameError,
)
from harness.registry import Catalogue, registry
from harness.specs import BitRange, absolute


def _spec(name: str, **fields: str) -> QuantizerSpec:
    return QuantizerSpec(name=name, summary="", factory=fields.pop("factory", "m:a"), **fields)


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError) as caught:
        registry().quantizers["unifrom"]
    assert str(caught.value).startswith("unknown quantizer 'unifrom'\n  Did you mean 'uniform'? Known: ")


def test_unknown_name_without_a_near_one_lists_what_there_is() -> None:
    catalogue = Catalogue("quantizer", QuantizerSpec)
    with pytest.raises(UnknownNameError, match="Known: none"):
        catalogue["x"]


def test_a_catalogue_is_a_sorted_mapping() -> None:
    catalogue = Catalogue("quantizer", QuantizerSpec)
    for name in ("b", "a-2", "a_1"):
        catalogue.add(_spec(name))
    assert list(catalogue) == ["a-2", "a_1", "b"]
    assert len(catalogue) == 3
    assert "b" in catalogue


@pytest.mark.parametrize("name", ["", "A", "a b", "1a", "a.b", "ä"])
def test_names_that_are_not_allowed(name: str) -> None:
    with pytest.raises(PluginError, match="not allowed"):
        Catalogue("quantizer", QuantizerSpec).add(_spec(name))


def test_a_catalogue_takes_its_own_kind_only() -> None:
    with pytest.raises(PluginError, match="returned SearchSpec"):
        Catalogue("quantizer", QuantizerSpec).add(SearchSpec(name="a", summary="", factory="m:a"))


def test_create_builds_with_validated_options() -> None:
    from harness import Layout, Site

    site = Site("fc.weight", "fc", "weight", "linear", None, Layout(("out", "in"), (4, 3), -2))
    known = registry()
    choice = Choice(name="uniform", options={"granularity": "channel", "scheme": "symmetric"})
    quantizer = known.create(known.quantizers, choice, site, 4)
    assert isinstance(quantizer, Uniform)
    assert isinstance(quantizer, Quantizer)
    assert (quantizer.partition.slots, quantizer.scheme, quantizer.mean_bits) == (4, "symmetric", 4)
    with pytest.raises(OptionError, match=r"quantizer uniform.*granularity"):
        known.create(known.quantizers, Choice(name="uniform", options={"granularity": "row"}), site, 4)
    with pytest.raises(OptionError, match="Did you mean 'granularity'"):
        known.options(known.quantizers, Choice(name="uniform", options={"granularty": "row"}))


@pytest.mark.parametrize("factory", ["no_such_module_anywhere:X", "harness.errors:NoSuchClass"])
def test_code_that_cannot_be_loaded_names_its_plugin(factory: str) -> None:
    with pytest.raises(PluginError, match=r"plugin 'p' \(d 1\) cannot load"):
        registry().component(_spec("a", factory=factory, plugin="plugin 'p' (d 1)"))


def test_relative_places_are_resolved_against_the_package() -> None:
    method = MethodSpec(name="m", summary="", factory=".method:M", quantizes="", published=":published.csv")
    resolved = absolute(method, "pkg", "plugin 'p'")
    assert (resolved.factory, resolved.published, resolved.plugin) == (
        "pkg.method:M", "pkg:published.csv", "plugin 'p'")
    assert absolute(_spec("a", factory="other.code:X"), "pkg", "").factory == "other.code:X"


def test_every_component_of_the_built_in_plugins_can_be_loaded() -> None:
    known = registry()
    assert known.problems == []
    catalogues = (known.methods, known.quantizers, known.searches, known.losses, known.tasks, known.adapters,
                  known.costs)
    for catalogue in catalogues:
        for spec in catalogue.values():
            assert callable(known.component(spec)), spec
            assert spec.summary
            assert not spec.summary.endswith(".")
            for name, field in spec.options.model_fields.items():
                assert field.description, f"option {name} of {spec.name} has no description"


def test_published_rows_are_read_from_the_plugin() -> None:
    known = registry()
    for spec in (*known.methods.values(), *known.tasks.values()):
        text = known.published(spec)
        assert bool(text) == bool(spec.published)


def test_bit_range() -> None:
    assert 4 in BitRange(2, 8)
    assert 9 not in BitRange(2, 8)
    assert "4" not in BitRange(2, 8)
    assert str(BitRange(3, 6)) == "3 to 6"
