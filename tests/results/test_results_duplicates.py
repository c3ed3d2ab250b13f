"""Which of several records of a run counts."""

from __future__ import annotations

from itertools import permutations

from made_records import make_record

from harness.results.duplicates import distinct


def test_the_order_of_the_records_does_not_matter() -> None:
    """With and without two records of one run."""
    records = [make_record(seed=seed) for seed in range(3)]
    later = records[0].model_copy(update={"created": "2026-01-02T03:04:05+00:00"})
    for given in permutations(records):
        assert distinct(given) == (sorted(records, key=lambda record: record.identity), [])
        assert distinct([later, *given]) == distinct(given)
