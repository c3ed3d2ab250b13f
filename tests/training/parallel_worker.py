"""Trains the toy; started once, or as several processes by torchrun."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from harness import Bits, Choice, Stage, TrainingOptions
from harness.testing.toy import toy_context
from harness.training.processes import processes


def main() -> None:
    torch.set_num_threads(1)
    context = toy_context(Bits(8, 8), budget="steps=8")
    trainer = context.trainer
    assert trainer is not None
    trainer.processes = processes("cpu")
    training = TrainingOptions(batch_size=8, learning_rate=1e-2, optimizer="sgd", clip_norm=0.5)
    context.train(Stage("train", training, [Choice(name="task")]))
    rank = trainer.processes.rank
    save_file({name: tensor.contiguous() for name, tensor in context.model.state_dict().items()},
              Path(sys.argv[1]) / f"weights-{rank}-of-{trainer.processes.count}.safetensors")


if __name__ == "__main__":
    main()
