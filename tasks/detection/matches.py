"""Which detection hits which object, as COCO matches them: what average precision is computed from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from faster_coco_eval.core import mask as rle
from numpy.typing import NDArray

#: COCO's thresholds of overlap, and how many detections of a category in a picture count.
_THRESHOLDS = np.linspace(0.5, 0.95, 10)
_MOST = 100
#: One bit a threshold, the lowest first.
_BITS = 1 << np.arange(len(_THRESHOLDS))

_Item = Mapping[str, Any]


def matches(annotations: Iterable[_Item], detections: Iterable[_Item], pictures: Sequence[int],
            categories: Sequence[int]) -> dict[str, NDArray[np.unsignedinteger]]:
    """The columns of ``average_precision`` (``harness.results.statistics.weighted``) for boxes.

    ``pictures``: ids of those that were scored, in order, which numbers them. Annotations of others are left out.
    """
    place = {picture: number for number, picture in enumerate(pictures)}
    truth, found = _by_picture(annotations, place), _by_picture(detections, place)
    order = {category: number for number, category in enumerate(sorted(set(categories)))}
    objects = np.zeros((len(pictures), len(order)), np.uint16)
    rows: dict[int, list[np.ndarray]] = {category: [np.zeros((0, 4))] for category in order}
    for category, picture in sorted({*truth, *found}):  # equal scores: the smaller id first, as COCO has it
        there = sorted(truth.get((category, picture), ()), key=_is_crowd)
        objects[place[picture], order[category]] = sum(not _is_crowd(one) for one in there)
        some = sorted(found.get((category, picture), ()), key=lambda one: -one["score"])[:_MOST]
        if some:
            scores = np.array([one["score"] for one in some])
            rows[category].append(np.stack([scores, np.full(len(some), place[picture]), *_match(some, there)], axis=1))
    kept = [np.insert(_up_to_last_hit(np.concatenate(rows[category])), 0, number, axis=1)
            for category, number in order.items()]
    category, picture, hit, ignored = np.concatenate(kept).T
    return {"objects": objects, "category": category.astype(np.uint16),
            "picture": picture.astype(np.min_scalar_type(len(pictures))),
            "hit": hit.astype(np.uint16), "ignored": ignored.astype(np.uint16)}


def _up_to_last_hit(rows: np.ndarray) -> np.ndarray:
    """Picture, hits and ignored, the highest score first; what comes after the last hit changes no precision."""
    rows = rows[np.argsort(-rows[:, 0], kind="stable"), 1:]
    hits = np.flatnonzero(rows[:, 1])
    return rows[:hits[-1] + 1 if len(hits) else 0]


def _match(detections: Sequence[_Item], objects: Sequence[_Item]) -> tuple[np.ndarray, np.ndarray]:
    """For detections from the surest to the least sure: at which thresholds each hits, at which it is ignored (bits).

    Each takes the object it overlaps most of those that are left; crowds, which are last, are never used up.
    """
    hit, ignored = np.zeros((2, len(detections)), np.int64)
    if not objects:
        return hit, ignored
    crowd = [_is_crowd(one) for one in objects]
    overlap = np.asarray(rle.iou([one["bbox"] for one in detections], [one["bbox"] for one in objects], crowd))
    real = len(crowd) - sum(crowd)
    free = np.ones((len(_THRESHOLDS), real), bool)
    for number in np.flatnonzero(overlap.max(1) >= _THRESHOLDS[0]):
        row = overlap[number]
        reached = row >= np.minimum(_THRESHOLDS, 1 - 1e-10)[:, None]
        among = np.where(free & reached[:, :real], row[:real], -1.0)
        hits = (among >= 0).any(1)
        if real:
            best = real - 1 - among[:, ::-1].argmax(1)  # of equal overlaps the last
            free[hits, best[hits]] = False
        hit[number] = _BITS[hits].sum()
        ignored[number] = _BITS[~hits & reached[:, real:].any(1)].sum()
    return hit, ignored


def _by_picture(items: Iterable[_Item], pictures: Container[int]) -> dict[tuple[int, int], list[_Item]]:
    """Category and picture -> what there is."""
    grouped: defaultdict[tuple[int, int], list[_Item]] = defaultdict(list)
    for item in items:
        if item["image_id"] in pictures:
            grouped[item["category_id"], item["image_id"]].append(item)
    return dict(grouped)


def _is_crowd(annotation: _Item) -> int:
    return int(annotation.get("iscrowd", 0))
