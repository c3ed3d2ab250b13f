"""Pictures and annotations through mmdet's COCO dataset and the model's own test pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

from torch import nn

from harness import Batch, DataError

from .coco_folder import Split
from .detectors import preprocessor
from .mmcv_compat import ensure_mmcv

ensure_mmcv()

from mmdet.datasets import CocoDataset  # noqa: E402
from mmengine.registry import DefaultScope  # noqa: E402

from .configs import configuration  # noqa: E402


@dataclass
class DetectionBatch:
    """``inputs``: mmdet's normalised and padded pictures (batch, 3, height, width) and data samples.

    The data samples carry the annotations too (``gt_instances``: boxes (n, 4), labels (n,) and masks), in the
    frame of the resized picture; ``targets`` are the same objects.
    """

    inputs: Any
    targets: Any


class DetectionSamples:
    """The pictures of one split, in the order of their ids; ``ids`` are their folders and
    file names (train and val may number their files alike).

    ``annotated``: only pictures with an object in them and no side under 32 pixels, as mmdet trains on.
    """

    def __init__(self, split: Split, model: str, annotated: bool) -> None:
        config = configuration(model, len(split.categories))
        # pycocotools reports its reading of the file to whoever looks at the command's output.
        with DefaultScope.overwrite_default_scope("mmdet"), redirect_stdout(StringIO()):
            self._dataset = CocoDataset(
                ann_file=str(split.annotations), data_prefix={"img": str(split.images)},
                metainfo={"classes": split.categories}, pipeline=config.test_pipeline, test_mode=not annotated,
                filter_cfg={"filter_empty_gt": True, "min_size": 32})
        self._prepare: nn.Module = preprocessor(model)
        names = {number: f"{split.images.name}/{name}" for number, name in split.pictures}
        self.ids: Sequence[str] = [names[self._dataset.get_data_info(index)["img_id"]]
                                   for index in range(len(self._dataset))]

    def batches(self, indices: Sequence[int], size: int) -> Iterator[Batch]:
        """See :meth:`harness.Samples.batches`. Raises :class:`harness.DataError` for a damaged picture."""
        for start in range(0, len(indices), size):
            yield self.batch([self.load(index) for index in indices[start:start + size]])

    def batch(self, loaded: Sequence[Any]) -> DetectionBatch:
        """Pictures of :meth:`load` as one batch."""
        prepared = self._prepare({"inputs": [one["inputs"] for one in loaded],
                                  "data_samples": [one["data_samples"] for one in loaded]})
        return DetectionBatch(prepared, prepared["data_samples"])

    def load(self, index: int) -> Any:
        """One picture as mmdet packs it: ``inputs`` uint8 (3, height, width), resized, and its ``data_samples``.

        Raises :class:`harness.DataError` for a damaged picture.
        """
        try:
            return self._dataset.prepare_data(index)
        except (AssertionError, OSError, ValueError) as error:  # mmcv asserts that OpenCV could decode
            raise DataError(f"picture {self.ids[index]} cannot be decoded: {error}",
                            "Get the file again, or take it and its annotations out of the data") from error
