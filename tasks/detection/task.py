"""The detection tasks: detector, pictures and average precision at both scales."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from harness import Batch, DataError, InstrumentedModel, Resolved, Samples, Scorer, Task, TrainingSamples

from .coco_folder import Role, Split, find_split
from .detectors import assigner, build, load
from .families import FAMILIES
from .objective import query_objective, region_objective
from .response import observe_regions, query_divergence, query_response, region_divergence, region_response
from .samples import DetectionSamples
from .scene_folder import scene_folder
from .scorer import AveragePrecisionScorer
from .views import DetectionViews


class DetectionTask(Task):
    """Mask R-CNN, Cascade Mask R-CNN or DETR, on COCO or on scenes of digits."""

    def __init__(self, resolved: Resolved) -> None:
        super().__init__(resolved)
        self._family = FAMILIES[resolved.task]
        # Pictures of COCO differ in size; in a batch they would be padded, which changes their figures.
        self.batch_size = self.training_batch_size = 1 if resolved.scale == "full" else 8

    def model(self) -> nn.Module:
        """See :meth:`harness.Task.model`. Raises :class:`DataError` for a checkpoint that does not fit."""
        where = self.resolved.locations
        detector = build(self.resolved.model, len(self._split("val").categories), where["seed"] or 0)
        if where["weights"]:
            load(detector, where["weights"])
        return detector

    def pool(self) -> Samples:
        """The annotated pictures of the train split (at the mini scale, of its first scenes)."""
        return DetectionSamples(self._split("train"), self.resolved.model, annotated=True)

    def evaluation(self) -> Samples:
        """The val split."""
        return DetectionSamples(self._split("val"), self.resolved.model, annotated=False)

    def scorer(self) -> Scorer:
        """``box_ap``, ``mask_ap`` where the detector has masks, and COCO's other figures, in percent."""
        return self._scorer(self._split("val").content())

    def training(self) -> TrainingSamples:
        """The annotated pictures of the train split, at full scale mirrored half the time; a mirrored digit is none."""
        return DetectionViews(DetectionSamples(self._split("train"), self.resolved.model, annotated=True),
                              mirrors=self.resolved.scale == "full")

    def training_scorer(self) -> Scorer:
        """As :meth:`scorer`, against the annotations of the train split; those of the scored pictures count alone."""
        return self._scorer(self._train_content)

    def objective(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Any]:
        """mmdet's own losses, summed as mmdet sums them: see :mod:`.objective`."""
        with _without_advice():
            return (region_objective if self._family.masks else query_objective)(_detector(model), batch.inputs)

    def forward(self, model: nn.Module, inputs: Any) -> Any:
        """mmdet's data samples with the detections, in the coordinates of the original pictures."""
        with _without_advice():
            return model(inputs["inputs"], inputs["data_samples"], mode="predict")

    def observed(self, model: nn.Module, inputs: Any) -> Any:
        """Every layer: R-CNN's heads on fixed regions around the annotated objects, not on the model's proposals."""
        return observe_regions(_detector(model), inputs) if self._family.masks else self.forward(model, inputs)

    def response(self, model: nn.Module, inputs: Any) -> Any:
        """Class, box and mask answers on fixed regions (R-CNN), or of every query (DETR)."""
        return (region_response if self._family.masks else query_response)(_detector(model), inputs)

    def divergence(self, reference: Any, outputs: Any) -> Tensor:
        """IGQ-ViT's Eq. A: see :mod:`.response`."""
        if self._family.masks:
            return region_divergence(reference, outputs)
        return query_divergence(reference, outputs, self._assigner)

    def _scorer(self, content: dict[str, Any]) -> Scorer:
        return AveragePrecisionScorer(content, ("box", "mask") if self._family.masks else ("box",))

    @cached_property
    def _train_content(self) -> dict[str, Any]:
        """Kept, because a search scores often."""
        return self._split("train").content()

    @cached_property
    def _assigner(self) -> Any:
        return assigner(self.resolved.model)

    @cached_property
    def _root(self) -> Path:
        return Path(self.resolved.locations["data"]) if self.resolved.scale == "full" else scene_folder()

    def _split(self, role: Role) -> Split:
        split = find_split(self._root, role)
        if self.resolved.scale == "full" and split.fingerprint != self.resolved.locations[role]:
            raise DataError(f"the {role} split in {self._root} has changed since the run was planned",
                            "Let nothing write to the data while runs are going on, then start again")
        return split


@contextmanager
def _without_advice() -> Iterator[None]:
    """mmdet copies tensors in a way that torch advises against; users can do nothing about it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "To copy construct from a tensor", UserWarning)
        yield


def _detector(model: nn.Module) -> Any:
    """mmdet's detector, whose parts are called one by one."""
    return model.model if isinstance(model, InstrumentedModel) else model
