"""The task: model, data and metric."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from harness import Batch, Samples, Task, load_weights

from .drawing import evaluation_pictures, training_pictures
from .metric import IouScorer
from .model import Hourglass


class Shapes(Task):
    """Drawn discs and squares."""

    def model(self) -> nn.Module:
        path = self.resolved.locations["weights"]
        with torch.random.fork_rng(devices=[]):
            if not path:  # --weights random:SEED
                torch.manual_seed(int(self.resolved.weights_hash.rpartition(":")[2]))
            model = Hourglass().eval()
        if path:
            load_weights(model, Path(path))
        return model

    def pool(self) -> Samples:
        return training_pictures()

    def evaluation(self) -> Samples:
        return evaluation_pictures()

    def scorer(self) -> IouScorer:
        return IouScorer()

    def response(self, model: nn.Module, inputs: Tensor) -> Tensor:
        """Logits with the classes last, (batch, side, side, classes): losses and divergences look for them there."""
        return self.forward(model, inputs).movedim(1, -1)

    def objective(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        response = self.response(model, batch.inputs)
        targets = batch.targets.to(response.device)
        return torch.nn.functional.cross_entropy(response.movedim(-1, 1), targets), response
