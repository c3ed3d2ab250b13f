"""Charts as files: the same bytes in every process and in any order of the records; a picture is one."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import pytest
from made_charts import charted
from made_records import make_reference

from harness.errors import PluginError
from harness.report.charts import CHARTS, ChartKind
from harness.report.charts.images import Format, rendered

RECORDS = [make_reference(), *(charted(method, bits, seed, right=(1, seed, 1, 0), bops=bops * 1e9)
           for method in ("minmax", "omse") for bits, bops in (("4/4", 1.0), ("8/8", 4.0)) for seed in (0, 1))]

IN_A_PROCESS = """
import hashlib, sys
from pathlib import Path
from harness.results.record import Record
from harness.report.charts import CHARTS
from harness.report.charts.images import Format, rendered
records = [Record.from_json(path.read_text()) for path in sorted(Path(sys.argv[1]).glob("*.json"))]
assert "altair" not in sys.modules
for kind in ("accuracy-bops", "accuracy-bits"):
    (chart,) = CHARTS[kind].build(records)
    for form in Format:
        print(kind, form, hashlib.sha256(rendered(chart, form)).hexdigest())
assert not {"torch", "pandas", "numpy"} & set(sys.modules)
"""


@pytest.fixture(scope="module")
def hashes():
    made = {}
    for kind in ("accuracy-bops", "accuracy-bits"):
        (chart,) = CHARTS[kind].build(RECORDS)
        made |= {(kind, form.value): hashlib.sha256(rendered(chart, form)).hexdigest() for form in Format}
    return made


@pytest.mark.parametrize("seed", ["0", "1"])
def test_two_processes_write_the_same_bytes(tmp_path, hashes, seed):
    for record in RECORDS:
        (tmp_path / f"{record.identity}.json").write_text(record.to_json())
    done = subprocess.run([sys.executable, "-c", IN_A_PROCESS, str(tmp_path)], capture_output=True, text=True,
                          check=False, env={"PYTHONHASHSEED": seed, "HOME": str(tmp_path), "PATH": ""})
    assert done.returncode == 0, done.stderr
    assert {tuple(line.split()[:2]): line.split()[2] for line in done.stdout.splitlines()} == hashes


def test_a_second_chart_of_one_process_has_the_same_bytes(hashes):
    for kind in ("accuracy-bops", "accuracy-bits"):
        (chart,) = CHARTS[kind].build(RECORDS[::-1])
        for form in (Format.json, Format.svg):
            assert hashlib.sha256(rendered(chart, form)).hexdigest() == hashes[kind, form.value]


def test_pictures_are_of_their_kind():
    (chart,) = CHARTS["accuracy-bops"].build(RECORDS)
    svg, png = rendered(chart, Format.svg).decode(), rendered(chart, Format.png)
    assert svg.startswith("<svg")
    assert svg.endswith("</svg>\n")
    assert "imagenet, vit_mini: top1 against bit-operations" in svg
    assert "Liberation Sans" in svg
    assert png.startswith(b"\x89PNG")
    assert json.loads(rendered(chart, Format.json)) == chart.to_dict()


def test_a_chart_is_described_in_words():
    (chart,) = CHARTS["accuracy-bops"].build(RECORDS)
    assert chart.to_dict()["description"].startswith("imagenet, vit_mini: top1 against bit-operations. MINI scale.")


@pytest.mark.parametrize(("module", "act"), [
    ("altair", lambda: ChartKind("other", "", "", ".by_bits:build").build),
    ("vl_convert", lambda: rendered(CHARTS["accuracy-bops"].build(RECORDS)[0], Format.svg))])
def test_a_missing_extra_is_named(monkeypatch, module, act):
    for name in [name for name in sys.modules if name.startswith("harness.report.charts.")]:
        if module == "altair":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(PluginError, match=r"quantization-harness\[report\]"):
        act()
