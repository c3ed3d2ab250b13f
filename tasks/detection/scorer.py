"""Average precision of boxes and masks, as COCO defines it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from faster_coco_eval.core import mask as rle

from harness import Batch, Scores

from .matches import matches

#: COCO's summary figures, in its order; the name of a metric is "box_" or "mask_" and this.
_FIGURES = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")
_KINDS = {"box": "bbox", "mask": "segm"}


class AveragePrecisionScorer:
    """Accumulates detections; ``kinds`` is ``("box",)`` or ``("box", "mask")``.

    ``annotations`` is the content of COCO's annotation file . Only the pictures that were scored count, so that
    a part of a split has figures of its own. Figures in percent; those that have no ground truth (no small
    object in all the pictures) are left out.
    """

    def __init__(self, annotations: Mapping[str, Any], kinds: Sequence[str]) -> None:
        self._annotations, self._kinds = annotations, kinds
        # mmdet's labels are indices into the categories as the file lists them.
        self._categories = [category["id"] for category in annotations["categories"]]
        self._scored: list[int] = []
        self._detections: list[dict[str, Any]] = []

    def update(self, outputs: Any, batch: Batch) -> None:
        """Take the detections of one batch: mmdet's data samples, boxes and masks in the original pictures."""
        for sample in outputs:
            self._scored.append(sample.img_id)
            found = sample.pred_instances
            boxes, labels, scores = (getattr(found, name).cpu().numpy() for name in ("bboxes", "labels", "scores"))
            masks = found.masks.cpu().numpy() if "mask" in self._kinds else [None] * len(boxes)
            for (left, top, right, bottom), label, score, mask in zip(boxes.tolist(), labels, scores, masks,
                                                                      strict=True):
                detection = {"image_id": sample.img_id, "category_id": self._categories[label], "score": float(score),
                             "bbox": [left, top, right - left, bottom - top]}
                if mask is not None:
                    detection["segmentation"] = rle.encode(np.asfortranarray(mask, dtype=np.uint8))
                self._detections.append(detection)

    def result(self) -> Scores:
        """``box_ap`` first, then the other figures of boxes, then those of masks.

        ``per_sample``: which box hits an object in which picture.
        """
        scored = set(self._scored)
        truth = COCO({**self._annotations,
                      "images": [image for image in self._annotations["images"] if image["id"] in scored],
                      "annotations": [annotation for annotation in self._annotations["annotations"]
                                      if annotation["image_id"] in scored]})
        metrics: dict[str, float] = {}
        for kind in self._kinds:
            # A result with masks takes its boxes from them, so boxes are judged without.
            kept = self._detections if kind == "mask" else [
                {key: value for key, value in detection.items() if key != "segmentation"}
                for detection in self._detections]
            judged = COCOeval_faster(truth, truth.loadRes(kept), _KINDS[kind], print_function=_silent)
            judged.run()
            metrics |= {f"{kind}_{name}": 100 * float(value)
                        for name, value in zip(_FIGURES, judged.stats, strict=False) if value >= 0}
        main = {f"{kind}_ap": metrics.pop(f"{kind}_ap", 0.0) for kind in self._kinds}
        return Scores(main | metrics, self._matches(), tuple(list(main)[1:]), "average_precision")

    def _matches(self) -> Mapping[str, np.ndarray]:
        return matches(self._annotations["annotations"], self._detections, self._scored, self._categories)


def _silent(*_: object) -> None:
    """The evaluator reports its steps through a print function."""
