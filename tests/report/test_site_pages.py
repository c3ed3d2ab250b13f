"""The pages of a site, as files: what they say, where they lead, and that nothing in a record can do harm."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from made_records import make_record
from made_site import SITES, Page, make_site, rows, run, some_records

from harness.results.explain import command
from harness.results.record import Record
from harness.results.storage.store import Store

#: Fragments by which the page of claims is filtered.
WORDS = {"reproduced", "not-reproduced", "undecided", "differs", "not-tested", "all"}
EVIL = "<script>window.harmed = 1</script><img src=x onerror='window.harmed = 1'>"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_site(tmp_path_factory.mktemp("site"), some_records(), ["bad.json: not a JSON object"])


@pytest.fixture(scope="module")
def record() -> Record:
    return some_records()[1]


def test_what_there_is(site: Path) -> None:
    assert {path.name for path in (site / "records").iterdir()} == {
        f"{record.identity}.{ending}" for record in some_records() for ending in ("html", "json")}
    assert {path.name for path in (site / "tasks").iterdir()} == {"imagenet.html", "imagenet.js"}
    assert (site / "methods" / "igqvit.html").exists()
    assert (site / "charts" / "imagenet.html").exists()


def test_every_link_leads_somewhere(site: Path) -> None:
    keys = {key for board in rows(site) for row in board["rows"] for key in (row["key"], *row["identities"])}
    checked = 0
    for file in site.rglob("*.html"):
        page = Page(file)
        for link in (*page.all("*", "href"), *page.all("*", "src")):
            parts = urlsplit(link)
            if parts.scheme in ("http", "https", "data"):
                assert parts.scheme == "data" or ("a", link) in [(tag, attributes.get("href")) for tag, attributes
                                                                 in page.elements]  # nothing but a link leads out
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            assert target.exists(), f"{file.name}: {link}"
            if parts.fragment and target.suffix == ".html":
                known = set(Page(target).all("*", "id")) | (keys if target.parent.name == "tasks" else set())
                known |= WORDS if target.name == "claims.html" else set()
                assert parts.fragment in known, f"{file.name}: {link}"
            checked += 1
    assert checked > 500


def test_the_links_of_rows_lead_somewhere(site: Path) -> None:
    cells = [(cell, column["kind"]) for board in rows(site) for row in board["rows"]
             for cell, column in zip(row["cells"], board["columns"], strict=True)]
    links = [cell for cell, kind in cells if kind in ("link", "links")]
    hrefs = [pair[1] for cell in links for pair in (cell if isinstance(cell[0], list) else [cell]) if pair[1]]
    assert any("methods/igqvit.html" in href for href in hrefs)
    for href in hrefs:
        assert href.startswith("#") or (site / "tasks" / href).exists()


def test_sections_are_never_mixed(site: Path) -> None:
    boards = rows(site)
    assert len(boards) == 2
    swin = {record.identity for record in some_records() if record.asked.model == "swin_mini"}
    for board in boards:
        identities = {identity for row in board["rows"] for identity in row["identities"]}
        assert identities <= swin or not identities & swin


def test_rows_are_those_of_the_table(site: Path) -> None:
    board = next(board for board in rows(site) if len(board["rows"]) > 4)
    columns = [column["name"] for column in board["columns"]]
    shown = {(row["cells"][0][0], row["bits"]): dict(zip(columns, row["cells"], strict=True)) for row in board["rows"]}
    assert board["rows"][0]["kind"] == "reference"
    best = shown["igqvit", "4/4"]
    assert best["metric"] == ["89.50", 89.5]
    assert best["drop"] == ["5.50", 5.5]
    assert best["rank"][1] == 1
    assert [text for text, _ in best["records"]] == ["s0", "s1"]
    assert shown["minmax", "4/4"]["difference"][1] == pytest.approx(60 - 89.5)
    assert shown["omse", "4/4"]["metric"] == ["failed", None]
    assert best["bops-plain" if "bops-plain" in columns else "bops"] == ["0.800", 0.8]


def test_a_record_says_everything(site: Path, record: Record) -> None:
    page = Page(site / "records" / f"{record.identity}.html")
    for text in (command(record), "c" * 64, "blocks.2.attn.qkv.input", "uniform symmetric", "99", "MINI scale",
                 "3.50 s", "512 MiB", "2.4.0", "vit_mini", "90.00", "95.00", "5.00", "norm", "[8, 12]", "a/1, b/2"):
        assert text in page.text, text
    assert (site / "records" / f"{record.identity}.json").read_text(encoding="utf-8") == record.to_json()
    assert f"../tasks/imagenet.html#{record.identity}" in page.all("a", "href")


def test_a_failed_run_says_why(site: Path) -> None:
    failed = next(record for record in some_records() if record.failure)
    page = Page(site / "records" / f"{failed.identity}.html")
    assert "This run failed" in page.text
    assert "NaN in calibration" in page.text
    assert "Use fewer bits" in page.text


def test_the_first_page(site: Path) -> None:
    page = Page(site / "index.html")
    assert "bad.json: not a JSON object" in page.text
    assert "MINI scale: vit_mini, 32 calibration samples" in page.text
    assert re.search(r"4/4 igqvit 89\.50", page.text)
    assert "from 11 records" in page.text


def test_a_method_has_its_paper_options_ablations_and_readme(site: Path) -> None:
    page = Page(site / "methods" / "igqvit.html")
    for text in ("Instance-Aware Group Quantization", "CVPR 2024", "no allocation", "search.alloc", "k-means objective",
                 "89.50", "Published, not measured here"):
        assert text in page.text, text
    assert "https://arxiv.org/abs/2404.00928" in page.all("a", "href")


def test_claims_name_their_records(site: Path) -> None:
    page = Page(site / "claims.html")
    assert "IGQ-ViT" in page.text
    linked = {link for link in page.all("a", "href") if link.startswith("records/")}
    assert linked
    decisive = Page(site / sorted(linked)[0])
    assert "Claims that it helps to decide" in decisive.text


def test_nothing_in_a_record_can_do_harm(tmp_path: Path) -> None:
    record = run("igqvit", "4/4", 0, 100, notice=EVIL, notes={EVIL: EVIL}, options={EVIL: EVIL}, model=EVIL,
                 configuration={EVIL: EVIL}, timings={EVIL: 1.0},
                 coverage={"quantized": [{**SITES[0], "site": EVIL, "role": EVIL}], EVIL: EVIL})
    failed = make_record("minmax", failed=EVIL, model=EVIL)
    site = make_site(tmp_path, [record, failed, make_record(EVIL, task=EVIL)], [EVIL])
    count = 0
    for file in site.rglob("*.html"):
        page = Page(file)
        assert not [attributes for _, attributes in page.elements if any(name.startswith("on") for name in attributes)]
        assert not [source for source in page.all("img", "src")]
        assert all(attributes.get("src") for tag, attributes in page.elements if tag == "script")
        count += page.text.count("window.harmed")
    assert count > 20


@pytest.mark.parametrize("task", ["../../escape", "UPPER", "a b", ".hidden", "x" * 300])
def test_names_of_others_become_safe_files(tmp_path: Path, task: str) -> None:
    site = make_site(tmp_path, [make_record("nobody", task=task), make_record("nobody", task=task.lower() + "2")])
    pages = [path.name for path in (site / "tasks").glob("*.html")]
    assert len({name.lower() for name in pages}) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"results", "site"}
    page = Page(site / "tasks" / next(name for name in pages if "2.html" not in name))
    assert "Its plugin is not installed here" in page.text


def test_the_same_bytes_for_the_same_records(tmp_path: Path) -> None:
    contents = []
    for order in (some_records(), some_records()[::-1]):
        folder = tmp_path / str(len(contents))
        site = make_site(folder, order)
        contents.append({path.relative_to(site).as_posix(): path.read_bytes()
                         for path in site.rglob("*") if path.is_file()})
    assert contents[0] == contents[1]


def test_no_records(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    site = make_site(tmp_path, [])
    assert "There are no records yet" in Page(site / "index.html").text
    assert not (site / "assets" / "vega.js").exists()


def test_the_json_beside_is_the_file_of_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    record = run("minmax", "4/4", 0, 100)
    path = store.put(record)
    site = make_site(tmp_path, [])
    assert (site / "records" / f"{record.identity}.json").read_bytes() == path.read_bytes()


def test_a_suite_has_its_tasks_side_by_side(tmp_path: Path) -> None:
    records = [run("minmax", "8/8", seed, right, task=task, model="bert_mini", main_metric="accuracy",
                   metrics={"accuracy": right / 2})
               for task, right in (("glue-sst2", 180), ("glue-rte", 120)) for seed in (0, 1)]
    site = make_site(tmp_path, records)
    (board,) = rows(site, "glue")
    columns = [column["name"] for column in board["columns"]]
    (row,) = board["rows"]
    cells = dict(zip(columns, row["cells"], strict=True))
    assert cells["method"] == ["minmax", "../methods/minmax.html"]
    assert cells["glue-sst2.accuracy"] == ["90.00 ± 0.00", 90.0]
    assert cells["glue-rte.accuracy"] == ["60.00 ± 0.00", 60.0]
    assert "tasks/glue.html" in Page(site / "index.html").all("a", "href")
