"""A page for each plugin of the distribution: its README and what it contributes; tables over all of them."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from harness.discovery import Plugin
from harness.registry import registry
from harness.specs import AdapterSpec, CostSpec, MethodSpec, Spec, SuiteSpec, TaskSpec

from .markers import table
from .options import options_table, settings

KINDS = {"harness_methods": "method", "harness_tasks": "task", "harness_suites": "suite",
         "harness_quantizers": "quantizer", "harness_searches": "search", "harness_losses": "loss",
         "harness_adapters": "attention adapter", "harness_costs": "cost convention"}


@cache
def shipped() -> dict[str, Plugin]:
    """The plugins of this distribution; others that are installed here have documentation of their own."""
    found = {plugin.name: plugin for plugin in registry().plugins if plugin.distribution == "quantization-harness"}
    broken = [plugin.source + ": " + plugin.problem for plugin in found.values() if plugin.problem]
    if broken:
        raise RuntimeError(f"the documentation needs every plugin: {'; '.join(broken)}")
    return found


def names() -> list[str]:
    """The names of the pages."""
    return sorted(shipped())


@cache
def contributed(name: str) -> tuple[tuple[str, Spec], ...]:
    """Kind and description of what a plugin contributes."""
    module = registry().manager.get_plugin(name)
    return tuple((kind, spec) for hook, kind in KINDS.items() if hasattr(module, hook)
                 for spec in getattr(module, hook)())


def page(name: str) -> str:
    """README first: what it is and which equation is which function; then the options."""
    parts = [_readme(shipped()[name]) or f"# {name}\n\nThe components that belong to no paper and no task.\n"]
    parts += [_component(kind, spec) for kind, spec in contributed(name)]
    return "\n".join(parts)


def _readme(plugin: Plugin) -> str:
    file = files(plugin.module.rpartition(":")[0] or plugin.module).joinpath("README.md") \
        if plugin.module != "harness.builtin" else None
    if file is None or not file.is_file():
        return ""
    # Links lead to files of the repository, which the site has not: their names stay. And "[R] [S]" with or without
    # a space are two tags, not a link.
    text = re.sub(r"\[([^]]+)\]\((?!https?:)[^)]*\)", r"\1", file.read_text(encoding="utf-8"))
    return re.sub(r"\](\s?)\[", r"]\1\\[", text)


def _component(kind: str, spec: Spec) -> str:
    parts = [f"## {kind.capitalize()} `{spec.name}`\n", f"{_sentence(spec.summary)}\n"]
    match spec:
        case MethodSpec():
            parts.append(_method(spec))
        case TaskSpec():
            models = "; ".join(f"{scale}: {', '.join(f'`{model}`' for model in each)}"
                               for scale, each in spec.models.items())
            parts.append(f"Metric: `{spec.metric}`. Models at each scale: {models}.\n")
        case SuiteSpec():
            return "\n".join([*parts, f"Columns: {', '.join(f'`{column}`' for column in spec.columns)}.\n"])
        case AdapterSpec():
            return "\n".join([*parts, f"Of the class `{spec.attention}`.\n"])
        case CostSpec():
            return "\n".join([*parts, "See [costs](../../costs.md).\n"])
    return "\n".join([*parts, options_table(spec.options)])


def _method(spec: MethodSpec) -> str:
    lines = []
    if spec.paper:
        paper = spec.paper
        title = f"[{paper.title}]({paper.url})" if paper.url else paper.title
        lines.append(f"- Paper: {title}, {paper.authors}, {paper.venue} {paper.year}")
    lines += [f"- Quantizes: {spec.quantizes}",
              f"- Bits: weights {spec.weight_bits}, activations {spec.activation_bits}",
              f"- Trains: {'yes' if spec.trains else 'no'}"]
    text = "\n".join(lines) + "\n"
    if spec.ablations:
        rows = [[f"`{spec.name}:{label}`", f"`{settings(given)}`"] for label, given in spec.ablations.items()]
        text += "\n" + table(["ablation", "the same as these options"], rows)
    return text


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _each(kind: str) -> list[tuple[str, Spec]]:
    return sorted(((name, spec) for name in names() for found, spec in contributed(name) if found == kind),
                  key=lambda pair: pair[1].name)


def methods() -> str:
    """Every method, with a link to its plugin's page."""
    return table(["method", "in short", "weights", "activations", "trains", "paper"], [
        [_link(name, "method", spec), spec.summary, str(spec.weight_bits), str(spec.activation_bits),
         "yes" if spec.trains else "", f"{spec.paper.venue} {spec.paper.year}" if spec.paper else ""]
        for name, spec in _each("method") if isinstance(spec, MethodSpec)])


def quantized() -> str:
    """What each method quantizes, in the words of its description."""
    return table(["method", "quantizes", "bits (W, A)"], [
        [_link(name, "method", spec), spec.quantizes, f"{spec.weight_bits}, {spec.activation_bits}"]
        for name, spec in _each("method") if isinstance(spec, MethodSpec)])


def components() -> str:
    """Every other component by kind."""
    parts = []
    for kind in list(KINDS.values())[1:]:
        plural = {"search": "searches", "loss": "losses"}.get(kind, f"{kind}s")
        parts.append(f"## {plural.capitalize()}\n")
        parts.append(table(["name", "in short"], [
            [_link(name, kind, spec), spec.summary + (" (trains)" if getattr(spec, "trains", False) else "")]
            for name, spec in _each(kind)]))
    return "\n".join(parts)


def _link(name: str, kind: str, spec: Spec) -> str:
    anchor = f"{kind} {spec.name}".replace(" ", "-").lower()
    return f"[`{spec.name}`](../reference/plugins/{name}.md#{anchor})"
