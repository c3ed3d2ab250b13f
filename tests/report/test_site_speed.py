"""2,000 records: the site is written in under 30 seconds, and its pages open in under 2."""

from __future__ import annotations

import time
from pathlib import Path

from chromium import browser, visit
from made_site import SITES, full_precision, make_site, run

OPENED = "performance.getEntriesByType('navigation')[0].loadEventEnd"


def test_two_thousand_records(tmp_path: Path) -> None:
    coverage = {"quantized": [{**site, "site": f"{site['site']}.{number}"} for number in range(13) for site in SITES]}
    records = [full_precision(), *(
        run(("igqvit", "minmax", "omse")[number % 3], ("4/4", "6/6", "8/8")[number // 3 % 3], 0, number % 190,
            options={"x": number}, configuration={"x": number}, coverage={**coverage, "number": number})
        for number in range(1999))]
    started = time.process_time()
    site = make_site(tmp_path, records)
    assert time.process_time() - started < 30  # of this process alone, whatever else the machine does
    assert len(list((site / "records").glob("*.html"))) == 2000
    with browser() as started_browser, visit(started_browser) as made:
        assert made.open(site / "index.html").evaluate(OPENED) < 2000
        page = made.boards(site / "tasks" / "imagenet.html")
        assert page.locator("tbody tr").count() == 100
        assert page.get_by_text("Rows 1 to 100 of 2,000").is_visible()
        assert page.evaluate(OPENED) < 4000  # about 1 second on a machine with nothing else to do
        assert made.errors == []
