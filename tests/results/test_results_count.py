"""Counting recorded runs by file name."""

from __future__ import annotations

from harness.results.storage.store import Store


def test_runs_are_counted_by_method_and_by_task(tmp_path):
    for name in ("imagenet/minmax-vit-4-4-s0-aa.json", "imagenet/omse-vit-4-4-s0-bb.json",
                 "cifar10/minmax-vit-4-4-s0-cc.json", "imagenet/.minmax-half-written.json"):
        path = tmp_path / "records" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    store = Store(tmp_path)
    assert store.count(method="minmax") == 2
    assert store.count(task="imagenet") == 2
    assert store.count(task="cifar10", method="omse") == 0
    assert Store(tmp_path / "nowhere").count() == 0
