"""2,000 records: a page each, and a leaderboard that shows a hundred at a time (how fast: benchmarks/site.py)."""

from __future__ import annotations

from pathlib import Path

from chromium import browser, visit
from made_site import SITES, full_precision, make_site, run


def test_two_thousand_records(tmp_path: Path) -> None:
    coverage = {"quantized": [{**site, "site": f"{site['site']}.{number}"} for number in range(13) for site in SITES]}
    records = [full_precision(), *(
        run(("igqvit", "minmax", "omse")[number % 3], ("4/4", "6/6", "8/8")[number // 3 % 3], 0, number % 190,
            options={"x": number}, configuration={"x": number}, coverage={**coverage, "number": number})
        for number in range(1999))]
    site = make_site(tmp_path, records)
    assert len(list((site / "records").glob("*.html"))) == 2000
    with browser() as started_browser, visit(started_browser) as made:
        page = made.boards(site / "tasks" / "imagenet.html")
        assert page.locator("tbody tr").count() == 100
        assert page.get_by_text("Rows 1 to 100 of 2,000").is_visible()
        assert made.errors == []
