"""Matches of detections with objects: pycocotools' own, and the figures of COCO on pictures that are repeated."""

from __future__ import annotations

import copy
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import numpy as np
import pytest
from faster_coco_eval import COCO, COCOeval_faster
from pycocotools import coco as reference
from pycocotools.cocoeval import COCOeval
from test_detection_scorer import CATEGORIES, detected, truth

from harness.engine.runner import kept_samples
from harness.results.samples import PerSample
from harness.results.statistics.resampling import estimate
from harness.results.statistics.weighted import WEIGHTED
from harness_tasks.detection.matches import matches
from harness_tasks.detection.scorer import AveragePrecisionScorer

ORDER = [category["id"] for category in CATEGORIES]


def crowded(pictures: int, each: int, seed: int = 0) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Many boxes over one another, some of crowds, and detections of distinct scores close to them."""
    random = np.random.default_rng(seed)
    annotations, detections = [], []
    for picture in range(1, pictures + 1):
        for _ in range(6):
            box = random.integers([0, 0, 10, 10], [30, 20, 40, 30]).astype(float)
            category = ORDER[random.integers(2)]
            annotations.append({"id": len(annotations) + 1, "image_id": picture, "category_id": category,
                                "bbox": box.tolist(), "area": box[2] * box[3], "iscrowd": int(random.random() < 0.2)})
            for _ in range(each):
                near = box + random.normal(0, 2, 4)
                detections.append({"image_id": picture, "category_id": category, "score": float(random.random()),
                                   "bbox": [*near[:2].tolist(), *np.maximum(near[2:], 1).tolist()]})
    images = [{"id": picture, "width": 80, "height": 60} for picture in range(1, pictures + 1)]
    return {"images": images, "annotations": annotations, "categories": CATEGORIES}, detections


def reference_bits(annotations: dict[str, Any], detections: list[dict[str, Any]]) -> dict[int, list[list[int]]]:
    """Category -> rows of picture, hits and ignored from pycocotools, by falling score, up to the last hit."""
    with redirect_stdout(StringIO()):
        coco = reference.COCO()
        coco.dataset = copy.deepcopy(annotations)
        coco.createIndex()
        judged = COCOeval(coco, coco.loadRes(copy.deepcopy(detections)), "bbox")
        judged.evaluate()
    rows: dict[int, list[tuple[float, int, int, int]]] = {category: [] for category in ORDER}
    for one in judged.evalImgs:
        if one is not None and one["aRng"] == judged.params.areaRng[0]:
            hit = (one["dtMatches"] > 0) & ~one["dtIgnore"].astype(bool)
            for number, score in enumerate(one["dtScores"]):
                bits = [sum(int(part[t, number]) << t for t in range(10)) for part in (hit, one["dtIgnore"])]
                rows[one["category_id"]].append((-score, one["image_id"] - 1, *bits))
    kept = {}
    for category, found in rows.items():
        ordered = [list(row[1:]) for row in sorted(found)]
        while ordered and not ordered[-1][1]:
            ordered.pop()
        kept[category] = ordered
    return kept


@pytest.mark.parametrize(("each", "seed"), [(2, 0), (8, 1), (60, 2)])
def test_matches_are_those_of_pycocotools(each: int, seed: int) -> None:
    """With 60 a box also where more than a hundred of a category are in one picture."""
    annotations, detections = crowded(5, each, seed)
    found = matches(annotations["annotations"], detections, range(1, 6), ORDER)
    expected = reference_bits(annotations, detections)
    for number, category in enumerate(sorted(ORDER)):
        chosen = found["category"] == number
        rows = np.stack([found[name][chosen] for name in ("picture", "hit", "ignored")], axis=1)
        assert rows.tolist() == expected[category]
        assert found["objects"][:, number].tolist() == [
            sum(one["image_id"] == picture and one["category_id"] == category and not one["iscrowd"]
                for one in annotations["annotations"]) for picture in range(1, 6)]
    assert found["ignored"].any()


def test_of_equal_overlaps_the_last_object_is_taken() -> None:
    """The surer detection lies between two objects; which it takes decides at which thresholds the other one hits."""
    boxes = {"annotations": ([0, 0], [2, 0]), "detections": ([1, 0], [2, 0])}
    shared = {"image_id": 1, "category_id": 3}
    annotations = {"images": [{"id": 1, "width": 80, "height": 60}], "categories": CATEGORIES, "annotations": [
        {**shared, "id": number, "bbox": [*corner, 10, 10], "area": 100, "iscrowd": 0}
        for number, corner in enumerate(boxes["annotations"], 1)]}
    detections = [{**shared, "bbox": [*corner, 10, 10], "score": 1 / number}
                  for number, corner in enumerate(boxes["detections"], 1)]
    found = matches(annotations["annotations"], detections, [1], ORDER)
    assert [[0, hit, 0] for hit in found["hit"].tolist()] == reference_bits(annotations, detections)[3]


def box_ap(annotations: dict[str, Any], detections: list[dict[str, Any]]) -> float:
    coco = COCO(annotations)
    judged = COCOeval_faster(coco, coco.loadRes(detections), "bbox", print_function=lambda *_: None)
    judged.run()
    return float(judged.stats[0])


@pytest.mark.parametrize("seed", range(3))
def test_a_weight_is_so_many_copies_of_a_picture(seed: int) -> None:
    annotations, detections = crowded(8, 4, seed)
    columns = matches(annotations["annotations"], detections, range(1, 9), ORDER)
    weights = np.random.default_rng(seed).multinomial(8, np.full(8, 1 / 8), size=5).T
    for weight, value in zip(weights.T, WEIGHTED["average_precision"](columns, weights), strict=True):
        images: list[dict[str, Any]] = []
        copied: dict[str, list[dict[str, Any]]] = {"annotations": [], "detections": []}
        for picture in np.repeat(np.arange(1, 9), weight):
            images.append({**annotations["images"][picture - 1], "id": len(images) + 1})
            for name, items in (("annotations", annotations["annotations"]), ("detections", detections)):
                copied[name] += [{**one, "image_id": len(images)} for one in items if one["image_id"] == picture]
        for number, one in enumerate(copied["annotations"], 1):
            one["id"] = number
        again = {"images": images, "annotations": copied["annotations"], "categories": CATEGORIES}
        assert value == pytest.approx(box_ap(again, copied["detections"]), abs=1e-9)


@pytest.mark.parametrize("scored", [25, 9])
def test_the_scorer_keeps_what_gives_its_figure(scored: int) -> None:
    annotations = truth(25, 4)
    scorer = AveragePrecisionScorer(annotations, ("box", "mask"))
    scorer.update(detected(annotations)[::-1][:scored], None)  # type: ignore[arg-type]
    scores = scorer.result()
    kept = kept_samples(scores)
    assert kept is not None
    assert (kept.n, kept.statistic) == (scored, "average_precision")
    assert 100 * estimate(kept) == pytest.approx(scores.metrics["box_ap"], abs=1e-9)


def test_compact() -> None:
    """Two bytes a detection and less."""
    annotations, detections = crowded(100, 12)
    kept = PerSample.pack(matches(annotations["annotations"], detections, range(1, 101), ORDER), "average_precision")
    assert kept is not None
    assert len(kept.raw) < 2 * len(detections)
