"""The libraries inside a site: classic scripts, from installed packages, with their licences."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from harness.errors import PluginError
from harness.report.site import extra
from harness.report.site.assets import OWN, classic, write_assets


@pytest.mark.parametrize("ending", ["export{a as default,b as Other}", "export { a as default };\n",
                                    "export{a as default}\n/*! notices\n * export{x as y}\n */\n"])
def test_a_module_becomes_a_classic_script(ending: str) -> None:
    script = classic(f"var a=1,b=2;\n{ending}", {"default": "Table"})
    assert "window.Table=a;" in script
    assert re.search(r"^export", script, re.MULTILINE) is None
    assert script.startswith('(()=>{"use strict";var a=1,b=2;')
    assert ("notices" in script) == ("notices" in ending)


@pytest.mark.parametrize("module", ["var a=1;", "var a=1;\nexport default a", "var a;\nexport{a as Other}", "",
                                    "/* a */"])
def test_another_form_is_an_error_with_its_remedy(module: str) -> None:
    with pytest.raises(PluginError, match="another form") as error:
        classic(module, {"default": "Table"})
    assert "pip install" in error.value.remedy


def test_what_is_written(tmp_path: Path) -> None:
    write_assets(tmp_path / "assets", charts=False)
    assert {path.name for path in (tmp_path / "assets").iterdir()} == {*OWN, "datatables.js", "datatables.css"}
    write_assets(tmp_path / "with", charts=True)
    assert (tmp_path / "with" / "vega.js").stat().st_size > 100_000
    assert "SpryMedia" in (tmp_path / "assets" / "datatables.js").read_text(encoding="utf-8")


def test_styles_load_nothing(tmp_path: Path) -> None:
    write_assets(tmp_path / "assets", charts=False)
    for style in (tmp_path / "assets").glob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert "@import" not in text
        assert set(re.findall(r"url\(['\"]?(\w+:|[^)d])", text)) <= {"data:"}


def test_every_library_in_the_tables_script_has_its_licence() -> None:
    bundle = files("itables").joinpath("html", "dt_bundle.js").read_text(encoding="utf-8")
    notices = bundle[bundle.index("/*! Bundled license information"):]
    licences = files("harness.report.site").joinpath("static", "licences.txt").read_text(encoding="utf-8")
    holders = {"SpryMedia": "SpryMedia", "JSZip": "Stuart Knightley", "jQuery": "OpenJS Foundation", "pako": "pako",
               "FileSaver": "Eli Grey", "Lucide": "Lucide Contributors"}
    for library, holder in holders.items():
        assert library in notices
        assert holder in licences
    known = re.compile("datatables|jszip|jquery|SpryMedia", re.IGNORECASE)
    packages = re.findall(r"^(\S+)/\S+:$", notices, re.MULTILINE)
    assert packages
    assert [package for package in packages if not known.search(package)] == []


def test_a_missing_library_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(f"No module named {name!r}")
    monkeypatch.setattr(extra, "import_module", missing)
    with pytest.raises(PluginError, match="jinja2") as error:
        extra.needed("jinja2")
    assert "quantization-harness[report]" in error.value.remedy
