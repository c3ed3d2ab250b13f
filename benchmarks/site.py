"""How fast the site is: makes records up, times ``harness site`` on them, and opens two pages in Chromium.

The pages are timed by the browser itself, from the address to the end of loading, the leaderboard until it can be used.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from leaderboard import BITS, TASKS, command, runs, write_all
from playwright.sync_api import sync_playwright

from harness.results.record import FULL_PRECISION

LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd"
USABLE = "new Promise(done => { const look = () => document.body.dataset.boards === 'built' "\
    "? done(performance.now()) : requestAnimationFrame(look); look() })"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        methods = max(1, arguments.records // len(BITS))
        write_all(folder, [*runs(TASKS[:1], methods, range(1)), (TASKS[0], FULL_PRECISION, "32/32", 0)])
        command("site", "--results", str(folder), "--output", str(folder / "site"))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox"])
            page = browser.new_page()
            for name, ready in (("index.html", LOADED), (f"tasks/{TASKS[0]}.html", USABLE)):
                page.goto((folder / "site" / name).as_uri())
                print(f"{name}: {page.evaluate(ready) / 1000:.2f} s in {browser.version}", flush=True)
            browser.close()


if __name__ == "__main__":
    sys.exit(main())
