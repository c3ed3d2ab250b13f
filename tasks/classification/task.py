"""The classification task: model, samples and metric at both scales."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from torch import Tensor, nn, random
from torch.nn import functional

from harness import Batch, DataError, Resolved, Samples, Scorer, Task, TrainingSamples, load_weights

from . import mini_models
from .digits import SPLIT_SIZES
from .image_sets import IMAGE_SETS
from .layouts import Role, find_split
from .preprocessing import Preprocessing
from .resolve import MINI_POOL, adapted, preprocessing
from .samples import DigitSamples, ImageSamples
from .scorer import AccuracyScorer
from .split import Split
from .views import DigitViews, ImageViews


class ClassificationTask(Task):
    """ImageNet, CIFAR-10 or CIFAR-100; or the embedded digits."""

    def __init__(self, resolved: Resolved) -> None:
        super().__init__(resolved)
        self._image_set = IMAGE_SETS[resolved.task]
        # Papers train with 512 and more a step; a few epochs of the small pictures would be a handful of steps.
        self.training_batch_size = 64 if resolved.scale == "mini" else None

    def model(self) -> nn.Module:
        """See :meth:`harness.Task.model`. Raises :class:`DataError` for a checkpoint that does not fit."""
        name, path = self.resolved.model, self.resolved.locations["weights"]
        seed = self.resolved.locations["seed"] or 0
        if self.resolved.scale == "mini":
            with random.fork_rng(devices=[]):
                random.manual_seed(seed)
                model = mini_models.build(name, trained=False)
            if path:
                load_weights(model, path)
            return model
        from .timm_models import build, load_checkpoint

        model = build(name, self._image_set.classes, seed)
        if path:
            load_checkpoint(model, name, path, self._image_set.classes)
        return model

    def pool(self) -> Samples:
        """The train split (at the mini scale, its first pictures)."""
        return self._samples("train")

    def evaluation(self) -> Samples:
        """The validation or test split."""
        return self._samples("evaluation")

    def scorer(self) -> Scorer:
        """``top1`` and ``top5`` in percent."""
        return AccuracyScorer()

    def training(self) -> TrainingSamples:
        """The train split, randomly cropped and mirrored; at the mini scale randomly shifted (see :mod:`.views`)."""
        if self.resolved.scale == "mini":
            return DigitViews(mini_models.MINI_MODELS[self.resolved.model])
        found = self._split("train")
        return ImageViews(found, self._preprocessing)

    def objective(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Cross-entropy of the logits (batch, classes), and the logits."""
        logits = model(batch.inputs)
        return functional.cross_entropy(logits, batch.targets), logits

    def _samples(self, role: Role) -> Samples:
        if self.resolved.scale == "mini":
            entry = mini_models.MINI_MODELS[self.resolved.model]
            split, count = ("train", MINI_POOL) if role == "train" else ("test", SPLIT_SIZES["test"])
            return DigitSamples(split, count, entry)
        return ImageSamples(self._split(role), role, self._preprocessing)

    def _split(self, role: Role) -> Split:
        found = find_split(self._root, role, self._image_set)
        if found.fingerprint != self.resolved.locations[role]:
            raise DataError(f"the {role} split in {self._root} has changed since the run was planned",
                            "Let nothing write to the data while runs are going on, then start again")
        return found

    @property
    def _root(self) -> Path:
        return Path(self.resolved.locations["data"])

    @cached_property
    def _preprocessing(self) -> Preprocessing:
        known = preprocessing(self.resolved.model, self._image_set, self._root)
        if known is not None:
            return known
        from .timm_models import build, own_preprocessing

        own = own_preprocessing(self.resolved.model, build(self.resolved.model, self._image_set.classes))
        return adapted(own, self._image_set, self._root)
