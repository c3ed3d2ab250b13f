"""Views of training pictures, with their annotations in the same frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness import View

from .samples import DetectionBatch, DetectionSamples


class DetectionViews:
    """Annotated pictures as they are evaluated; where ``mirrors``, left and right are swapped by the view's seed.

    Half of the seeds mirror; a seed of ``None`` never does.
    """

    def __init__(self, samples: DetectionSamples, mirrors: bool) -> None:
        self._samples, self._mirrors = samples, mirrors
        self.ids: Sequence[str] = samples.ids

    def batch(self, views: Sequence[View]) -> DetectionBatch:
        """See :class:`harness.TrainingSamples`. Raises :class:`harness.DataError` for a damaged picture."""
        return self._samples.batch([self._one(view) for view in views])

    def _one(self, view: View) -> Any:
        loaded = self._samples.load(view.index)
        if not self._mirrors or view.seed is None or np.random.default_rng(view.seed).random() < 0.5:
            return loaded
        return mirrored(loaded)


def mirrored(loaded: Any) -> Any:
    """A picture of :meth:`DetectionSamples.load` with left and right swapped, and so its boxes and masks, in place."""
    sample = loaded["data_samples"]
    for objects in (sample.gt_instances, sample.ignored_instances):
        objects.bboxes.flip_(sample.img_shape, "horizontal")
        if "masks" in objects:
            objects.masks = objects.masks.flip("horizontal")
    loaded["inputs"] = loaded["inputs"].flip(-1)
    return loaded
