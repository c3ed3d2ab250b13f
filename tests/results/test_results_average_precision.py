"""Average precision from matches, against loops over COCO's definition; and how fast it is resampled."""

from __future__ import annotations

import time

import numpy as np
import pytest

from harness.results.samples import PerSample
from harness.results.statistics.resampling import RESAMPLES, replicates
from harness.results.statistics.weighted import WEIGHTED


def scene(pictures: int, categories: int, most: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Random matches: of each object one detection hits it at some thresholds; the others are wrong or ignored."""
    random = np.random.default_rng(seed)
    objects = random.integers(0, 3, (pictures, categories))
    rows = []
    for picture in range(pictures):
        for category in range(categories):
            hits = (1 << random.integers(0, 11, objects[picture, category])) - 1
            rows += [(category, -random.beta(3, 2), picture, hit, 0) for hit in hits]
        rows += [(random.integers(categories), -random.beta(2, 3), picture, 0, int(random.integers(2)) * 12)
                 for _ in range(random.integers(most))]
    category, _, picture, hit, ignored = (np.array(column) for column in zip(*sorted(rows), strict=True))
    return {"objects": objects, "category": category, "picture": picture, "hit": hit, "ignored": ignored}


def slow(columns: dict[str, np.ndarray], weight: np.ndarray) -> float:
    """COCO's definition with every picture as often as its weight says."""
    recalls = np.linspace(0, 1, 101)
    parts = []
    for category in range(columns["objects"].shape[1]):
        there = int(weight @ columns["objects"][:, category])
        if not there:
            continue
        for bit in range(10):
            points = [(0.0, 0.0)]
            found = wrong = 0
            for number in np.flatnonzero(columns["category"] == category):
                for _ in range(weight[columns["picture"][number]]):
                    if columns["ignored"][number] >> bit & 1:
                        continue
                    if columns["hit"][number] >> bit & 1:
                        found += 1
                    else:
                        wrong += 1
                    points.append((found / there, found / (found + wrong)))
            parts += [max((precision for recall, precision in points if recall >= wanted), default=0.0)
                      for wanted in recalls]
    return float(np.mean(parts)) if parts else 0.0


@pytest.mark.parametrize("seed", range(4))
def test_against_loops(seed: int) -> None:
    columns = scene(6, 3, 8, seed)
    random = np.random.default_rng(seed)
    weights = np.concatenate([np.ones((6, 1), int), np.zeros((6, 1), int),
                              random.multinomial(6, np.full(6, 1 / 6), size=12).T], axis=1)
    found = WEIGHTED["average_precision"](columns, weights)
    assert found == pytest.approx([slow(columns, weight) for weight in weights.T], abs=1e-12)
    assert 0.1 < found[0] < 0.9
    assert found[1] == 0


def test_without_detections() -> None:
    nothing = np.zeros(0, int)
    columns = {"objects": np.ones((2, 1), int), **dict.fromkeys(("category", "picture", "hit", "ignored"), nothing)}
    assert WEIGHTED["average_precision"](columns, np.ones((2, 1), int)).tolist() == [0.0]


def test_it_is_resampled_fast() -> None:
    """The processor's time for 500 pictures with 100 detections each: 0.9 seconds here."""
    random = np.random.default_rng(1)
    columns = scene(500, 10, 180, 1)
    columns["ignored"] = np.zeros_like(columns["ignored"])
    assert len(columns["hit"]) > 45_000
    samples = PerSample.pack(columns, "average_precision")
    assert samples is not None
    start = time.process_time()
    found = replicates(samples)
    assert time.process_time() - start < 4
    assert found.shape == (RESAMPLES,)
    weight = random.multinomial(500, np.full(500, 1 / 500), size=2).T
    assert found.std() > abs(WEIGHTED["average_precision"](columns, weight) - found.mean()).max() / 5
