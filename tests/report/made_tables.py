"""A table made up for tests: two methods with two seeds, one with a failed seed, one that failed, published figures."""

from __future__ import annotations

from typing import Any

from made_records import make_record, make_reference

from harness.results.published import PublishedRow
from harness.results.record import Record
from harness.results.tables.table import Table, build


def published_row(**changes: Any) -> PublishedRow:
    """One figure of a paper."""
    return PublishedRow(**{"task": "imagenet", "dataset": "ImageNet", "model": "vit_mini", "method": "igqvit",
                           "bits": "4/4", "metric": "top1", "value": 55.29, "table": "Table 2", "source": "Moon 2024",
                           **changes})


def made_records() -> list[Record]:
    """Records of one section; every method errs on the same samples first."""
    a, b, c, d, e, full = ([1] * count + [0] * (400 - count) for count in (300, 304, 250, 254, 340, 380))
    timed: dict[str, Any] = {"timings": {"calibrate": 3.0, "evaluate": 4.0}, "peak_memory": 2**29}
    return [
        make_reference(full, published=95.1, gate="passed"),
        make_record("igqvit", "4/4", 0, right=a, **timed), make_record("igqvit", "4/4", 1, right=b, **timed),
        make_record("minmax", "4/4", 0, right=c), make_record("minmax", "4/4", 1, right=d),
        make_record("igqvit", "8/8", 0, right=e),
        make_record("igqvit", "8/8", 1, failed="NaN or infinity\nin calibration"),
        make_record("omse", "4/4", 0, failed="a | b_c & 50 % <i>")]


def made_rows() -> list[PublishedRow]:
    """Figures beside a measured one, apart from all, and one that is not legible."""
    return [published_row(), published_row(metric="bops_G", value=1.5),
            published_row(method="ptq4vit", value=None, flags=("damaged",), note="illegible | torn"),
            published_row(method="ptq4vit", metric="bops_G", value=2.0)]


def made_table(*further: Record, **arguments: Any) -> Table:
    """The table of these records and figures."""
    return build([*made_records(), *further], made_rows(), "imagenet", **arguments)
