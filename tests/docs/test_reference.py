"""The reference has everything that the code has: public names, hooks, commands, options."""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from command_lines import OTHERS, parse, split
from fenced import FENCE
from generate import commands, hooks, markers, plugins, roles

import harness
from harness import Options, hookspecs
from harness.cli import app
from harness.registry import registry

ROOT = Path(__file__).parents[2]
PYTHON = sorted((ROOT / "docs" / "reference" / "python").glob("*.md"))
KNOWN = registry()
COMPONENTS = [spec for catalogue in (KNOWN.methods, KNOWN.quantizers, KNOWN.searches, KNOWN.losses, KNOWN.tasks)
              for spec in catalogue.values() if "(quantization-harness " in spec.plugin]


def _page(built: Path, name: str) -> str:
    """The text of a page, without tags."""
    text = (built / name).read_text(encoding="utf-8")
    return html.unescape(re.sub(r"<[^>]+>", "", text[text.index("<article"):text.index("</article>")]))


def test_every_public_name_is_there_once() -> None:
    written = [name for page in PYTHON for name in re.findall(r"^::: harness\.(\w+)$", page.read_text(), flags=re.M)]
    assert sorted(written) == sorted(harness.__all__)


def test_every_public_name_has_its_place_and_its_docstring(built: Path) -> None:
    pages = [(built / "reference" / "python" / page.with_suffix(".html").name).read_text() for page in PYTHON]
    for name in harness.__all__:
        (page,) = [page for page in pages if f'id="harness.{name}"' in page]
        said = (getattr(harness, name).__doc__ or "").split("\n")[0]
        if inspect.isclass(getattr(harness, name)) or inspect.isfunction(getattr(harness, name)):
            words = re.findall(r"\w+", re.sub(r":\w+:|`+|harness\.", "", said))[:4]
            assert re.search(r"\W+".join(words), re.sub(r"<[^>]+>", "", html.unescape(page))), f"{name}: {said}"


@pytest.mark.parametrize("name", [name for name in vars(hookspecs) if name.startswith("harness_")])
def test_every_hook_is_there_with_its_signature(built: Path, name: str) -> None:
    page = _page(built, "reference/hooks.html")
    assert name + str(inspect.signature(getattr(hookspecs, name))).replace("'", "") in page
    said = " ".join(re.findall(r"\w+", inspect.getdoc(getattr(hookspecs, name)) or ""))
    assert said
    assert said in " ".join(re.findall(r"\w+", page))


def test_no_other_hook_is_there() -> None:
    assert set(re.findall(r"^## `(\w+)`", hooks.hooks(), flags=re.M)) == {
        name for name in vars(hookspecs) if name.startswith("harness_")}


def test_every_command_and_option_is_there(built: Path) -> None:
    page = _page(built, "reference/commands.html")
    group: Any = typer.main.get_command(app)
    assert set(re.findall(r"^## `harness ([\w-]+)`", commands.commands(), flags=re.M)) == set(group.commands)
    for name, command in group.commands.items():
        section = page.split(f"harness {name}¶")[1].split("¶")[0]
        for parameter in command.params:
            if parameter.name != "help" and parameter.opts[0].startswith("-"):
                assert parameter.opts[0] in section, f"harness {name}: {parameter.opts[0]}"


def test_every_example_of_a_command_is_one() -> None:
    examples = [line[2:] for block in FENCE.finditer(commands.commands()) for line in block["text"].splitlines()]
    assert len(examples) > 10
    for example in examples:
        for program, *arguments in split(re.sub(r"\s+#.*", "", example)):
            assert program in {"harness", *OTHERS}
            if program == "harness":
                parse(arguments)


def _names(options: type[Options], prefix: str = "") -> Iterator[str]:
    for name, field in options.model_fields.items():
        yield prefix + name
        if isinstance(field.default, Options):
            yield from _names(type(field.default), f"{prefix}{name}.")


@pytest.mark.parametrize("spec", COMPONENTS, ids=lambda spec: f"{type(spec).__name__} {spec.name}")
def test_every_option_of_a_component_is_there(spec: Any) -> None:
    owner = re.fullmatch(r"plugin '(\w+)' .*", spec.plugin)
    assert owner
    kind = type(spec).__name__.removesuffix("Spec").lower()
    section = plugins.page(owner[1]).split(f"## {kind.capitalize()} `{spec.name}`\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `([\w.]+)` \|(?=.*\|.*\|.*\|)", section, flags=re.M) == list(_names(spec.options))


def test_every_method_says_what_it_quantizes() -> None:
    for name, spec in KNOWN.methods.items():
        if "(quantization-harness " in spec.plugin:
            assert f"[`{name}`]" in plugins.methods()
            assert spec.quantizes.split("|")[0] in plugins.quantized()


def test_links_of_a_readme_that_lead_out_of_the_site_are_only_text() -> None:
    text = plugins.page("detection")
    assert "scenes.py" in text
    assert not re.search(r"\]\((?!https?:|\.\./\.\./costs\.md)", text)


def test_names_in_docstrings_become_links() -> None:
    text = "See :class:`harness.Site`, :meth:`harness.Context.trial`, :meth:`place` and ``2**bits``."
    assert roles.linked(text) == ("See [`Site`][harness.Site], [`Context.trial`][harness.Context], `place` and "
                                  "`2**bits`.")


def test_a_marker_that_nobody_fills_is_an_error() -> None:
    assert markers.filled("a\n\n{{ b }}\n", {"b": lambda: "c"}) == "a\n\nc\n"
    with pytest.raises(KeyError, match="nothing"):
        markers.filled("{{ nothing }}", {})


def test_cells_do_not_end_a_table() -> None:
    assert markers.table(["a"], [["x | y\nz"]]) == "| a |\n| --- |\n| x \\| y z |\n"


def test_nothing_is_fetched(built: Path) -> None:
    """No page, style or script of the site asks another server for anything; search has its own index."""
    for page in built.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r"<(?:script|img|iframe|source)[^>]*src=\"(?:https?:)?//[^\"]*", text), page
        assert not re.findall(r"<link[^>]*rel=\"(?:stylesheet|preconnect|icon)\"[^>]*href=\"(?:https?:)?//", text), page
    for style in built.rglob("*.css"):
        assert not re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", style.read_text(encoding="utf-8")), style
    assert "harness_adapters" in (built / "search" / "search_index.json").read_text(encoding="utf-8")
