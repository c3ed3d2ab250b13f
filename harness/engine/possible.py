"""Whether a run is possible: what its method, the components of that and its task say that they can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import OptionError
from ..options import Options, resolve
from ..registry import Catalogue, Registry, import_attribute
from ..request import FULL_PRECISION_BITS, Bits
from ..results.record import FULL_PRECISION
from ..specs import MethodSpec, Spec, TaskSpec

if TYPE_CHECKING:
    from .plan import Run


def check_possible(run: Run, registry: Registry) -> None:
    """Raises :class:`harness.OptionError` for a run that one of them does not support."""
    if run.method == FULL_PRECISION:
        return
    spec, task = registry.methods[run.method], registry.tasks[run.task.task]
    for each, options in ((spec, run.options), *_components(registry, run.options)):
        if each.kinds and task.kind not in each.kinds:
            raise OptionError(f"{each.name} is made for {' and '.join(each.kinds)}, and {task.name} is a task of "
                              f"{task.kind}", f"See: harness show {each.name}")
        if each.possible:
            _ask(each, options, task, run.bits)
    check_bits(spec, run.bits, task.kind)
    if run.bits.embeddings != FULL_PRECISION_BITS and task.kind != "language":
        raise OptionError(f"{task.name} has no word embeddings to quantize to {run.bits.embeddings} bits")
    if run.budget and not task.trains:
        raise OptionError(f"{run.method} trains, and {task.name} has no training loss")


def _ask(spec: Spec, options: Mapping[str, Any], task: TaskSpec, bits: Bits) -> None:
    module, _, attribute = spec.possible.partition(":")
    possible: Callable[[Options, TaskSpec, Bits], None] = import_attribute(module, attribute, spec.plugin)
    possible(resolve(spec.options, options, spec.name), task, bits)


def check_bits(spec: MethodSpec, bits: Bits, kind: str = "") -> None:
    """Raises :class:`harness.OptionError` for bits that a method does not declare for tasks of ``kind``."""
    weights, activations = spec.kind_bits.get(kind, (spec.weight_bits, spec.activation_bits))
    on = f" in {kind}" if kind in spec.kind_bits else ""
    asked = [("weights" + on, bits.weights, weights), ("activations" + on, bits.activations, activations)]
    if bits.embeddings != FULL_PRECISION_BITS:
        asked.append(("word embeddings", bits.embeddings, spec.embedding_bits))
    for what, width, allowed in asked:
        if width not in allowed:
            raise OptionError(f"{spec.name} quantizes {what} to {allowed} bits, not {width}",
                              f"See: harness show {spec.name}")


def catalogue_of(registry: Registry, option: str, name: str) -> Catalogue[Any]:
    """Where the component is found that ``option`` of a method names; by the option's name, if two have it."""
    first: Catalogue[Any] = (registry.searches if option == "search" else
                             registry.losses if option in ("loss", "losses") else registry.quantizers)
    every: tuple[Catalogue[Any], ...] = (first, registry.searches, registry.quantizers, registry.losses)
    return next((catalogue for catalogue in every if name in catalogue), first)


def _components(registry: Registry, options: Any, option: str = "") -> Iterator[tuple[Spec, Mapping[str, Any]]]:
    """The descriptions of the components that resolved options name, and of theirs, each with its options."""
    if isinstance(options, Mapping):
        if options.keys() == {"name", "options"}:
            yield catalogue_of(registry, option, options["name"])[options["name"]], options["options"]
        for name, value in options.items():
            yield from _components(registry, value, option if name == "options" else name)
    elif isinstance(options, list):
        for value in options:
            yield from _components(registry, value, option)
