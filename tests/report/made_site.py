"""A site of made-up records, and ways to read it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from made_records import make_record, make_reference

from harness.registry import registry
from harness.report.publications import published_rows
from harness.report.site.write import Content, write_site
from harness.results.claims.judge import claims_of, judge
from harness.results.record import CalibrationSet, Record
from harness.results.record_file import file_name
from harness.results.storage.store import Store

SITES = [{"site": f"blocks.{block}.attn.qkv.{part}", "role": "qkv", "block": block, "quantizer": "uniform symmetric",
          "bits": 4, "granularity": "channel", "groups": 64, "dynamic": False}
         for block in range(3) for part in ("weight", "input")]


def full_precision(model: str = "vit_mini") -> Record:
    """The reference of a model."""
    return make_reference([1] * 190 + [0] * 10, model=model)


def run(method: str, bits: str, seed: int, right: int, *, model: str = "vit_mini", **fields: Any) -> Record:
    """A record with everything that its page shows; ``right`` of 200 samples."""
    drawn = CalibrationSet(split="train", size=2, seed=seed, ids=("a/1", "b/2"), sha256="c" * 64)
    return make_record(method, bits, seed, model=model, reference=full_precision(model).reference, **{
        "right": [1] * right + [0] * (200 - right), "calibration": drawn,
        "timings": {"calibrate": 3.5, "evaluate": 8.0},
        "coverage": {"quantized": SITES, "full_precision": ["norm"], "quantized_macs_share": 0.99},
        "notes": {"groups": [8, 12]}, "peak_memory": 2**29, "notice": "MINI scale", **fields})


def some_records() -> list[Record]:
    """Two sections of one task: three methods at two bit-widths, one with two seeds, one that failed."""
    return [
        full_precision(), run("igqvit", "4/4", 0, 180), run("igqvit", "4/4", 1, 178),
        run("igqvit", "4/4", 0, 170, options={"g": 12}, configuration={"g": 12}), run("minmax", "4/4", 0, 120),
        run("igqvit", "8/8", 0, 189), run("minmax", "8/8", 0, 188),
        make_record("omse", "4/4", failed="NaN in calibration"),
        full_precision("swin_mini"),
        run("igqvit", "4/4", 0, 150, model="swin_mini"), run("minmax", "4/4", 0, 140, model="swin_mini")]


def write_records(folder: Path, records: Iterable[Record]) -> Store:
    """The records in a results folder, without the store's care for what others write at the same time."""
    store = Store(folder)
    for record in records:
        path = store.path_of(record).with_name(file_name(record))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(record.to_json(), encoding="utf-8")
    return store


def make_site(folder: Path, records: Iterable[Record], problems: Iterable[str] = ()) -> Path:
    """The site of ``records`` in ``folder/site``."""
    known = registry()
    entries, unreadable = write_records(folder / "results", records).entries()
    assert not unreadable
    told: list[str] = []
    verdicts = judge(claims_of(known, lambda text, remedy: told.append(text)), entries, known.ablations)
    write_site(folder / "site", Content(known, entries, published_rows(known, told.append), verdicts, list(problems)))
    assert not told
    return folder / "site"


def rows(site: Path, task: str = "imagenet") -> list[dict[str, Any]]:
    """The boards of a task's page, from the script beside it."""
    text = (site / "tasks" / f"{task}.js").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = json.loads(text.removeprefix("window.harnessBoards = ").removesuffix(";\n"))
    return found


class Page(HTMLParser):
    """The elements of a page: name and attributes of each, and the text outside of scripts."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        """All text, spaces made one."""
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str, attribute: str) -> list[str]:
        """The values of an attribute in the elements of that name."""
        return [attributes[attribute] for name, attributes in self.elements
                if tag in ("*", name) and attribute in attributes]
