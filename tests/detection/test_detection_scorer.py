"""Average precision: COCO's own figures, on parts of a split, without detections and without objects."""

from __future__ import annotations

import copy
from contextlib import redirect_stdout
from io import StringIO
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from pycocotools import mask as pycoco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from harness_tasks.detection.scorer import AveragePrecisionScorer

HEIGHT, WIDTH = 60, 80
CATEGORIES = [{"id": 7, "name": "seven"}, {"id": 3, "name": "three"}]  # not in the order of their ids


def box_mask(left: int, top: int, width: int, height: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    mask[top:top + height, left:left + width] = 1
    mask[top, left] = 0
    return mask


def truth(pictures: int, seed: int = 0) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    annotations = []
    for picture in range(1, pictures + 1):
        for _ in range(random.integers(1, 5)):
            left, top, width, height = (int(value) for value in random.integers([0, 0, 4, 4], [40, 30, 40, 30]))
            mask = pycoco_mask.encode(np.asfortranarray(box_mask(left, top, width, height)))
            annotations.append({"id": len(annotations) + 1, "image_id": picture, "iscrowd": int(random.random() < 0.1),
                                "category_id": CATEGORIES[random.integers(2)]["id"], "bbox": [left, top, width, height],
                                "area": width * height, "segmentation": {**mask, "counts": mask["counts"].decode()}})
    return {"images": [{"id": i, "file_name": f"{i}.png", "width": WIDTH, "height": HEIGHT}
                       for i in range(1, pictures + 1)], "annotations": annotations, "categories": CATEGORIES}


def detected(annotations: dict[str, Any], seed: int = 1) -> list[Any]:
    """Detections near the true objects, some wrong, as mmdet's data samples."""
    random = np.random.default_rng(seed)
    order = [category["id"] for category in CATEGORIES]
    samples = []
    for image in annotations["images"]:
        boxes, labels = [], []
        for one in annotations["annotations"]:
            if one["image_id"] == image["id"] and random.random() < 0.9:
                left, top, width, height = np.array(one["bbox"]) + random.integers(-3, 4, size=4)
                left, top = max(int(left), 0), max(int(top), 0)
                boxes.append([left, top, left + max(int(width), 2), top + max(int(height), 2)])
                labels.append(order.index(one["category_id"]) if random.random() < 0.8 else int(random.integers(2)))
        masks = [box_mask(left, top, right - left, bottom - top) for left, top, right, bottom in boxes]
        samples.append(SimpleNamespace(img_id=image["id"], pred_instances=SimpleNamespace(
            bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            labels=torch.tensor(labels, dtype=torch.long),
            scores=torch.from_numpy(random.random(len(boxes)).astype(np.float32)),
            masks=torch.from_numpy(np.array(masks, dtype=bool).reshape(-1, HEIGHT, WIDTH)))))
    return samples


def reference(annotations: dict[str, Any], samples: list[Any], kind: str) -> list[float]:
    """pycocotools, written out; boxes judged by boxes."""
    with redirect_stdout(StringIO()):
        coco = COCO()
        coco.dataset = copy.deepcopy(annotations)
        coco.createIndex()
        results = []
        for sample in samples:
            found = sample.pred_instances
            for i in range(len(found.scores)):
                left, top, right, bottom = found.bboxes[i].tolist()
                result = {"image_id": sample.img_id, "category_id": CATEGORIES[found.labels[i]]["id"],
                          "score": float(found.scores[i]), "bbox": [left, top, right - left, bottom - top]}
                if kind == "segm":
                    result["segmentation"] = pycoco_mask.encode(
                        np.asfortranarray(found.masks[i].numpy().astype(np.uint8)))
                results.append(result)
        judged = COCOeval(coco, coco.loadRes(results), kind)
        judged.params.imgIds = [sample.img_id for sample in samples]
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    return judged.stats[:6].tolist()


@pytest.mark.parametrize("scored", [12, 5])
def test_figures_are_those_of_pycocotools(scored: int) -> None:
    annotations = truth(12)
    samples = detected(annotations)[:scored]
    scorer = AveragePrecisionScorer(annotations, ("box", "mask"))
    scorer.update(samples[:3], SimpleNamespace())
    scorer.update(samples[3:], SimpleNamespace())
    metrics = scorer.result().metrics
    assert list(metrics)[:2] == ["box_ap", "mask_ap"]
    names = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")
    for kind, theirs in (("box", "bbox"), ("mask", "segm")):
        for name, value in zip(names, reference(annotations, samples, theirs), strict=True):
            if value < 0:
                assert f"{kind}_{name}" not in metrics
            else:
                assert metrics[f"{kind}_{name}"] == pytest.approx(100 * value, abs=1e-9)
    assert 5 < metrics["box_ap"] < 95


def test_no_detection_is_zero() -> None:
    annotations = truth(3)
    nothing = SimpleNamespace(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long), scores=torch.zeros(0),
                              masks=torch.zeros(0, HEIGHT, WIDTH, dtype=torch.bool))
    scorer = AveragePrecisionScorer(annotations, ("box", "mask"))
    scorer.update([SimpleNamespace(img_id=i, pred_instances=nothing) for i in (1, 2, 3)], SimpleNamespace())
    metrics = scorer.result().metrics
    assert metrics["box_ap"] == 0.0
    assert metrics["mask_ap"] == 0.0


def test_pictures_without_objects_still_have_a_main_figure() -> None:
    annotations = truth(3) | {"annotations": []}
    scorer = AveragePrecisionScorer(annotations, ("box",))
    scorer.update(detected(truth(3)), SimpleNamespace())
    assert dict(scorer.result().metrics) == {"box_ap": 0.0}
