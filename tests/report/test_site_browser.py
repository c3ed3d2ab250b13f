"""The site in a real Chromium, opened from disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import Visit, browser, visit
from made_site import make_site, rows, run, some_records

PAGES = ("index.html", "claims.html", "tasks/imagenet.html", "methods/igqvit.html", "charts/imagenet.html", "record")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_site(tmp_path_factory.mktemp("site"), some_records())


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as started:
        yield started


@pytest.fixture
def seen(chromium: Any) -> Iterator[Visit]:
    """A desktop visit, in which nothing may go wrong and nothing leave the disk."""
    with visit(chromium) as made:
        yield made
        assert made.errors == []
        assert made.outside == []


def file_of(site: Path, page: str) -> Path:
    return site / (f"records/{some_records()[1].identity}.html" if page == "record" else page)


def labels(page: Any, board: int = 0) -> list[tuple[str, str]]:
    """Method and bits of the rows that are shown, in their order."""
    lines = page.locator("section.board").nth(board).locator("tbody tr").all()
    return [(line.locator("th").inner_text(), line.locator("td").first.inner_text()) for line in lines]


def vit(site: Path) -> int:
    """The number of the board with all methods."""
    return max(range(2), key=lambda number: len(rows(site)[number]["rows"]))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_it_opens_without_an_error_and_fits(site: Path, chromium: Any, tmp_path: Path, page: str, width: int,
                                            scheme: str) -> None:
    with visit(chromium, width=width, scheme=scheme) as made:
        opened = made.open(file_of(site, page))
        if page.startswith("tasks"):
            opened.wait_for_selector("body[data-boards=built]")
        if page.startswith("charts"):
            opened.wait_for_selector(".drawn svg.marks")
        opened.screenshot(path=tmp_path / f"{page.replace('/', '-')}-{width}-{scheme}.png", full_page=True)
        assert made.errors == []
        assert made.outside == []
        assert opened.evaluate("document.documentElement.scrollWidth") <= width
        background = opened.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(255, 255, 255)") == (scheme == "light")


def test_a_click_on_a_head_sorts_and_full_precision_stays_on_top(site: Path, seen: Visit) -> None:
    page = seen.boards(site / "tasks" / "imagenet.html")
    board = page.locator("section.board").nth(vit(site))
    before = labels(page, vit(site))
    assert before[0] == ("full precision", "32/32")
    board.get_by_role("button", name="top1").click()
    highest = labels(page, vit(site))
    assert highest[:3] == [("full precision", "32/32"), ("igqvit", "8/8"), ("minmax", "8/8")]
    assert highest[-1] == ("omse", "4/4")  # it failed: no number comes last
    board.get_by_role("button", name="top1").click()
    lowest = labels(page, vit(site))
    assert lowest[:2] == [("full precision", "32/32"), ("minmax", "4/4")]
    assert lowest[-1] == ("omse", "4/4")
    assert board.locator("th[aria-sort=ascending]").count() == 1


_NAME_OF_FOCUS = "document.activeElement.getAttribute('aria-label') || document.activeElement.textContent"


def test_the_keyboard_sorts(site: Path, seen: Visit) -> None:
    page = seen.boards(site / "tasks" / "imagenet.html")
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(_NAME_OF_FOCUS))
        if reached[-1].startswith("top1"):
            break
    assert reached[0] == "Skip to the content"
    assert reached[-1].startswith("top1")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert labels(page)[1][0] == "igqvit"
    page.keyboard.press("Enter")
    assert labels(page)[1] == ("minmax", "4/4")


def test_the_skip_link_leads_to_the_content(site: Path, seen: Visit) -> None:
    page = seen.open(site / "index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_search_and_filters(site: Path, seen: Visit) -> None:
    page = seen.boards(site / "tasks" / "imagenet.html")
    board = page.locator("section.board").nth(vit(site))
    board.get_by_label("Bits").select_option("8/8")
    assert labels(page, vit(site)) == [("full precision", "32/32"), ("igqvit", "8/8"), ("minmax", "8/8")]
    board.locator("select[name=method]").select_option("minmax")
    assert labels(page, vit(site)) == [("full precision", "32/32"), ("minmax", "8/8")]
    board.get_by_role("button", name="Show all rows").click()
    board.locator("tbody tr").nth(6).wait_for()
    board.get_by_role("searchbox").fill("12 groups")
    assert labels(page, vit(site)) == [("igqvit:12 groups", "4/4")]
    board.get_by_role("searchbox").fill("nothing like it")
    assert board.locator("tbody").inner_text() == "No row fits the search and the filters"


def test_the_choice_of_columns(site: Path, seen: Visit) -> None:
    page = seen.boards(site / "tasks" / "imagenet.html")
    board = page.locator("section.board").nth(vit(site))
    heads = board.locator("thead th .dt-column-title")
    assert "drop" in heads.all_inner_texts()
    assert "gap" not in heads.all_inner_texts()
    board.get_by_text("Columns", exact=True).click()
    board.get_by_role("checkbox", name="drop").uncheck()
    board.get_by_role("checkbox", name="gap").check()
    assert "drop" not in heads.all_inner_texts()
    assert "gap" in heads.all_inner_texts()
    board.get_by_role("button", name="gap").click()
    assert labels(page, vit(site))[0] == ("full precision", "32/32")


@pytest.mark.parametrize("form", ["#{}", "?row={}"])
def test_a_permanent_link_to_a_row(site: Path, seen: Visit, form: str) -> None:
    second_seed = some_records()[2]
    page = seen.boards(site / "tasks" / "imagenet.html", form.format(second_seed.identity))
    wanted = page.locator("tr.wanted")
    assert wanted.count() == 1
    assert wanted.locator("th").inner_text() == "igqvit"
    assert page.evaluate("document.activeElement.classList.contains('wanted')")
    assert 0 < wanted.bounding_box()["y"] < 900


def test_a_permanent_link_wins_over_the_filters_and_follows_the_address(site: Path, seen: Visit) -> None:
    page = seen.boards(site / "tasks" / "imagenet.html")
    board = page.locator("section.board").nth(vit(site))
    board.get_by_label("Bits").select_option("8/8")
    page.evaluate(f"location.hash = '{some_records()[4].identity}'")
    page.wait_for_selector("tr.wanted")
    assert page.locator("tr.wanted th").inner_text() == "minmax"
    assert ("igqvit:12 groups", "4/4") in labels(page, vit(site))
    page.evaluate("location.hash = ''")
    page.wait_for_selector("tr.wanted", state="detached")


@pytest.mark.parametrize("address", ["#nothing", "#%", "?row=%3Cscript%3E", "#__proto__"])
def test_an_address_without_a_row(site: Path, seen: Visit, address: str) -> None:
    page = seen.boards(site / "tasks" / "imagenet.html", address)
    assert page.locator("tr.wanted").count() == 0
    assert len(labels(page)) > 2


def test_links_to_record_method_and_back(site: Path, seen: Visit) -> None:
    page = seen.boards(site / "tasks" / "imagenet.html")
    page.get_by_role("link", name="s1", exact=True).first.click()
    assert "igqvit 4/4 on imagenet" in page.locator("h1").inner_text()
    page.get_by_role("link", name="its row in the leaderboard").click()
    page.wait_for_selector("tr.wanted")
    page.get_by_role("link", name="igqvit", exact=True).first.click()
    assert page.locator("h1").inner_text() == "igqvit"


def test_charts_are_drawn_when_they_come_into_view(site: Path, seen: Visit) -> None:
    page = seen.open(site / "charts" / "imagenet.html")
    charts = page.locator("[data-chart]")
    assert charts.count() >= 4
    for chart in charts.all():
        chart.scroll_into_view_if_needed()
        chart.locator("svg.marks").wait_for()
    assert page.locator("svg.marks path").count() > 10


def test_a_chart_that_cannot_be_drawn_says_so(site: Path, chromium: Any) -> None:
    with visit(chromium) as made:
        made.page.add_init_script("Object.defineProperty(window, 'harnessCharts', {get: () => ({}), set: () => {}})")
        page = made.open(site / "charts" / "imagenet.html")
        page.get_by_text("This chart could not be drawn").first.wait_for()


def test_claims_of_one_verdict(site: Path, chromium: Any) -> None:
    for width in (1280, 390):
        with visit(chromium, width=width) as made:
            page = made.open(site / "claims.html", "#not-tested")
            shown = [claim for claim in page.locator("tbody[data-verdict]").all() if claim.is_visible()]
            assert {claim.get_attribute("data-verdict") for claim in shown} == {"not tested"}
            page.get_by_role("link", name="all").click()
            assert page.locator("tbody[data-verdict]").first.is_visible()
            assert made.errors == []


def test_print_shows_all_rows(tmp_path: Path, seen: Visit) -> None:
    many = [run("minmax", "4/4", 0, number % 200, options={"x": number}, configuration={"x": number})
            for number in range(130)]
    page = seen.boards(make_site(tmp_path, many) / "tasks" / "imagenet.html")
    assert page.locator("tbody tr").count() == 100
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("tbody tr").count() == 130
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("tbody tr").count() == 100
    last = rows(tmp_path / "site")[0]["rows"][-1]["key"]
    page.evaluate(f"location.hash = '{last}'")
    page.wait_for_selector(f"tr.wanted[data-key='{last}']")  # on the second page


def test_a_record_cannot_run_a_script(tmp_path: Path, seen: Visit) -> None:
    evil = "<script>window.harmed = 1</script><img src=x onerror='window.harmed = 1'>"
    made = [run("minmax", bits, 0, 100, notice=evil, options={evil: evil}, configuration={evil: evil}, model=evil)
            for bits in ("4/4", "8/8")]
    site = make_site(tmp_path, made)
    for name in ("index.html", "tasks/imagenet.html", f"records/{made[0].identity}.html", "charts/imagenet.html"):
        page = seen.open(site / name)
        page.wait_for_timeout(300)
        assert page.evaluate("window.harmed") is None
        assert page.locator("img[src=x]").count() == 0
        assert "window.harmed" in page.locator("body").inner_text()
