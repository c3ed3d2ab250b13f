"""Trains one small model on the cluttered digits and writes its weights.

Run it with ``python -m harness_tasks.classification.train_mini --model vit_mini``. It needs no download and
no GPU. The same arguments on the same machine and library versions give the same weights; other machines
round differently and give slightly different ones.

Trained for minutes, a transformer keeps almost equal channels and is far easier to quantize than a
published one, whose LayerNorm outputs differ between channels by orders of magnitude. The recipe therefore
*starts* from unequal channels (see ``spread_channels``) and then trains every weight as usual.
"""

from __future__ import annotations

import argparse
import math
import os
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from .digits import SPLIT_SIZES, generate
from .mini_models import MINI_MODELS, MiniModel, build, weights_path
from .weights_record import describe_training, write_readme

PICTURES_PER_EPOCH = 20_000
"""Every epoch draws the next 20,000 pictures of the train split, so no picture is seen twice."""

PROGRESS_PICTURES = 1_000
"""Test pictures in the progress line of each epoch. They choose nothing: the last weights are kept."""


def normalise(pictures: np.ndarray, entry: MiniModel) -> torch.Tensor:
    """Turn uint8 pictures (count, 32, 32, 3) into a model's input, float32 (count, 3, 32, 32)."""
    values = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255.0
    return (values - torch.tensor(entry.mean).view(3, 1, 1)) / torch.tensor(entry.std).view(3, 1, 1)


def initialise(model: nn.Module) -> None:
    """Draw the linear layers anew with a standard deviation of one over the root of their inputs.

    timm's 0.02 fits layers of many hundred channels. In these narrow models it leaves the attention blind for
    thousands of steps. For the same reason ViT's position embedding and the position biases of Swin's windows
    start wide, so that each head looks at some places and not at the mean of all.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=module.in_features**-0.5)
        table = getattr(module, "relative_position_bias_table", None)
        if isinstance(table, nn.Parameter):
            nn.init.normal_(table, std=2.0)
    positions = getattr(model, "pos_embed", None)
    if isinstance(positions, nn.Parameter):
        nn.init.normal_(positions, std=1.0)


def spread_channels(model: nn.Module, sigma: float, large: int, factor: float, seed: int) -> None:
    """Make channels unequal without changing the function, before training.

    The channels of each LayerNorm in front of a linear layer are multiplied by log-normal factors, a few of
    them by ``factor`` on top, and the columns of the linear layer are divided by the same. Everything stays
    trainable.

    Args:
        model: a timm ViT or Swin.
        sigma: standard deviation of the natural logarithm of the factors; 0 leaves the channels equal.
        large: how many channels of each LayerNorm are made large.
        factor: how much larger these are.
        seed: seed of the factors.
    """
    generator = torch.Generator().manual_seed(seed)
    # Any: torch declares the children of a module as "tensor or module", wider than what timm builds.
    blocks: list[Any] = [part for part in model.modules() if hasattr(part, "norm1") and hasattr(part, "mlp")]
    for block in blocks:
        for norm, linear in ((block.norm1, block.attn.qkv), (block.norm2, block.mlp.fc1)):
            channels = norm.weight.shape[0]
            factors = torch.exp(torch.randn(channels, generator=generator) * sigma)
            factors[torch.randperm(channels, generator=generator)[:large]] *= factor
            with torch.no_grad():
                norm.weight *= factors
                norm.bias *= factors
                linear.weight /= factors


def copy_body(model: nn.Module, source: nn.Module) -> None:
    """Copy all weights but the classifier head from a model of the same architecture."""
    body = {key: value for key, value in source.state_dict().items() if not key.startswith("head.")}
    missing, unexpected = model.load_state_dict(body, strict=False)
    if unexpected or any(not key.startswith("head.") for key in missing):
        raise ValueError("--start-from needs a model of the same architecture")


def batches(epoch: int, batch_size: int, entry: MiniModel) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of one epoch: normalised pictures and labels. Drawn piece by piece to keep memory small."""
    piece = batch_size * 8
    first = epoch * PICTURES_PER_EPOCH
    for start in range(first, first + PICTURES_PER_EPOCH, piece):
        count = min(piece, first + PICTURES_PER_EPOCH - start)
        pictures, labels = generate("train", start, count, entry.classes)
        for low in range(0, count, batch_size):
            chunk = slice(low, low + batch_size)
            yield normalise(pictures[chunk], entry), torch.from_numpy(labels[chunk])


def accuracy(model: nn.Module, entry: MiniModel, count: int = SPLIT_SIZES["test"]) -> float:
    """Top-1 accuracy in percent on the first ``count`` test pictures."""
    model.eval()
    correct = 0
    with torch.inference_mode():
        for start in range(0, count, 500):
            pictures, labels = generate("test", start, min(500, count - start), entry.classes)
            correct += int((model(normalise(pictures, entry)).argmax(1).numpy() == labels).sum())
    return 100.0 * correct / count


def train(model: nn.Module, entry: MiniModel, arguments: argparse.Namespace) -> None:
    """Train in place with AdamW, linear warm-up and cosine decay, one line of progress per epoch."""
    decayed = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": arguments.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=arguments.learning_rate, betas=(0.9, 0.98), fused=True)
    total = arguments.epochs * math.ceil(PICTURES_PER_EPOCH / arguments.batch_size)
    warm_up = max(1, total // 15)

    def rate(step: int) -> float:
        if step < warm_up:
            return (step + 1) / warm_up
        return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * (step - warm_up) / (total - warm_up)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    for epoch in range(arguments.epochs):
        began, losses = time.perf_counter(), []
        model.train()
        for inputs, labels in batches(epoch, arguments.batch_size, entry):
            loss = functional.cross_entropy(model(inputs), labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        progress = accuracy(model, entry, PROGRESS_PICTURES)
        print(
            f"epoch {epoch + 1:3d}/{arguments.epochs}  train loss {np.mean(losses):.4f}  "
            f"test accuracy {progress:.1f} % of {PROGRESS_PICTURES:,}  {time.perf_counter() - began:.0f} s",
            flush=True,
        )


def save(model: nn.Module, path: Path, record: dict[str, str]) -> None:
    """Write the weights in half precision: a temporary file first, then renamed, so none is half written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.part")
    tensors = {key: value.half().contiguous() for key, value in model.state_dict().items()}
    save_file(tensors, temporary, metadata=record)
    temporary.chmod(0o644)  # safetensors lets only its owner read it; an installed package is shared.
    os.replace(temporary, path)


def round_to_half(model: nn.Module) -> None:
    """Round the weights to what the file will hold, so that the recorded accuracy is that of the file."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half())


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--model", required=True, choices=sorted(MINI_MODELS))
    parser.add_argument("--epochs", type=int, default=7, help=f"of {PICTURES_PER_EPOCH} new pictures each")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="peak learning rate")
    parser.add_argument("--weight-decay", type=float, default=0.02, help="of weight matrices only")
    parser.add_argument("--start-from", choices=sorted(MINI_MODELS), help="shipped model to go on from")
    parser.add_argument("--spread", type=float, default=0.4, help="see spread_channels: sigma")
    parser.add_argument("--large-channels", type=int, default=3, help="see spread_channels: large")
    parser.add_argument("--large-factor", type=float, default=4.0, help="see spread_channels: factor")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="torch threads")
    parser.add_argument("--output", type=Path, help="weights file, if not the one that ships")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    """Train, save, measure the saved weights, and record how they were made."""
    arguments = parse_arguments(words)
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    entry = MINI_MODELS[arguments.model]
    model = build(arguments.model, trained=False)
    initialise(model)
    if arguments.start_from:
        copy_body(model, build(arguments.start_from))
    else:
        spread_channels(
            model, arguments.spread, arguments.large_channels, arguments.large_factor, arguments.seed
        )
    began = time.perf_counter()
    train(model, entry, arguments)
    minutes = (time.perf_counter() - began) / 60.0
    round_to_half(model)
    result = accuracy(model, entry)
    print(f"{arguments.model}: {result:.2f} % of {SPLIT_SIZES['test']:,} test pictures, {minutes:.1f} min")
    options = shlex.join(sys.argv[1:] if words is None else words)
    command = f"python -m harness_tasks.classification.train_mini {options}"
    record = describe_training(command, arguments.seed, arguments.epochs, PICTURES_PER_EPOCH, result, minutes)
    path = arguments.output or weights_path(arguments.model)
    save(model, path, record)
    if arguments.output is None:
        write_readme(path.parent)


if __name__ == "__main__":
    main()
