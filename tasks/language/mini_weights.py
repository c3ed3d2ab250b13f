"""The weights of the small models: how they are stored, and the README that says how each file was made.

The header of each file is the record of its making, so a file that is copied elsewhere still says where it comes from,
and the README cannot disagree with the files.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .mini_language import LANGUAGE_VERSION, VALIDATION_ROWS

if TYPE_CHECKING:
    from torch import nn

README_HEAD = """# Weights of the small BERT

Written by `train_mini.py`; do not edit. Each file holds the half-precision weights of one task (4 layers of 64 channels
and 4 heads; the architecture is transformers' own) and carries its line of the table, and more, in its header. The
sentences come from `mini_language.py`; nothing is downloaded, and a run sees every row once.

`pretrained.safetensors` is the body that the tasks start from: it learned, as BERT did, to tell masked words in the
sentences of all tasks, and whether two sentences belong together. Its score is the part of masked words that it told at
the end.

Two things in the recipe are unusual and on purpose (`mini_start.py`).

1. The channels of the residual stream are made unequal before training (`spread_channels`), nearly without changing the
   function; then everything is trained as usual. Published BERTs have such channels from long training. Minutes do not
   produce them, and models without them would say little about how methods treat real ones.
2. Half of the heads start by looking for the same word in the other sentence, and linear layers start with larger
   values than transformers' (`initialise`): models this narrow otherwise learn little about pairs of sentences in
   minutes (MRPC after 40,000 rows: 58 instead of 90).

Scores are those of the stored weights in full precision on the 2,000 validation rows, in percent. Seconds are those of
the processor, one thread. The same command gives the same weights on the
same machine and versions; elsewhere floating-point rounding differs, and so do the weights, slightly.

| task | score | starts from | rows | steps | seconds |
|---|---|---|---|---|---|
"""


def describe_training(command: str, start_from: str, count: int, steps: int, scores: Mapping[str, Mapping[str, float]],
                      seconds: float) -> dict[str, str]:
    """The lines about one training run, ready for a safetensors header.

    Args:
        command: the command line that repeats the run.
        start_from: the file whose body it started from, if any.
        count: train rows, each seen once.
        steps: optimizer steps.
        scores: of the stored weights, by name: metrics in percent, the main one first.
        seconds: processor time of everything.
    """
    import torch
    import transformers

    return {
        "command": command,
        "starts from": start_from or "random weights",
        "rows": f"{count:,}",
        "steps": f"{steps:,}",
        **{key: ", ".join(f"{name} {value:.2f}" for name, value in metrics.items()) for key, metrics in scores.items()},
        "validation": f"{VALIDATION_ROWS:,} rows of {LANGUAGE_VERSION}",
        "seconds": f"{seconds:.0f}",
        "versions": f"torch {torch.__version__}, transformers {transformers.__version__}, "
                    f"Python {platform.python_version()}",
        "machine": f"{platform.machine()} CPU, {torch.get_num_threads()} threads, no GPU",
    }


def round_to_half(model: nn.Module) -> None:
    """Round the weights to what the file will hold, so that the recorded score is that of the file."""
    import torch

    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half())


def save(model: nn.Module, path: Path, record: Mapping[str, str]) -> None:
    """Write the weights in half precision: a temporary file first, then renamed, so none is half written."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.part")
    tensors = {key: value.half().contiguous() for key, value in model.state_dict().items()}
    save_file(tensors, temporary, metadata=dict(record))
    temporary.chmod(0o644)  # safetensors lets only its owner read it; an installed package is shared.
    os.replace(temporary, path)


def read_record(path: Path) -> Mapping[str, str]:
    """The lines about one weights file, from its header."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as opened:
        return dict(opened.metadata() or {})


def write_readme(folder: Path) -> None:
    """Write ``README.md`` about all weights files of a folder."""
    table, commands = [], []
    for path in sorted(folder.glob("*.safetensors")):
        record = read_record(path)
        cells = (record[key] for key in ("score", "starts from", "rows", "steps", "seconds"))
        table.append(f"| {path.stem} | {' | '.join(cells)} |\n")
        commands.append(f"- {path.name}: `{record['command']}`; {record['versions']}; {record['machine']}\n")
    temporary = folder / "README.md.part"
    temporary.write_text(README_HEAD + "".join(table) + "\n" + "".join(commands), encoding="utf-8")
    temporary.replace(folder / "README.md")
