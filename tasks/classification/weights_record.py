"""How the weights of each small model were made: kept in the header of its file, printed in the README.

The header is the record, so a file that is copied elsewhere still says where it comes from, and the README
cannot disagree with the files.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path

from .digits import SPLIT_SIZES, VERSION

README_HEAD = """# Weights of the small models

Written by `train_mini.py`; do not edit. Each file holds half-precision weights and carries the lines below in
its header. Training pictures come from `digits.py` and every picture is seen once, so nothing is downloaded.

The architectures are timm's own. Two things in the recipe are unusual and on purpose.

1. Before training, the channels in front of the linear layers are made unequal (`spread_channels` in
   `train_mini.py`): LayerNorm weights are multiplied by random factors and the columns of the following
   linear layer are divided by the same, which leaves the function unchanged; then everything is trained as
   usual. Published transformers get such channels from long training. A few minutes do not produce them, and
   models without them would say little about how methods treat real ones.
2. Linear layers, ViT's position embedding and Swin's position biases start with larger values than timm's
   (`initialise` in `train_mini.py`), because models this narrow otherwise learn nothing for many epochs.

Training times are wall-clock times on a machine that was busy with other work, so they are upper bounds.
The same command gives the same weights on the same machine and versions; elsewhere floating-point rounding
differs, and so do the weights, slightly.
"""


def describe_training(
    command: str, seed: int, epochs: int, pictures: int, accuracy: float, minutes: float
) -> dict[str, str]:
    """The lines about one training run, ready for a safetensors header.

    Args:
        command: the command line that repeats the run.
        seed: its seed.
        epochs: passes of ``pictures`` new train pictures each.
        pictures: train pictures in each epoch.
        accuracy: full-precision top-1 accuracy in percent of the stored weights, on the whole test split.
        minutes: training time in minutes.
    """
    import timm
    import torch

    return {
        "command": command,
        "seed": str(seed),
        "epochs": f"{epochs} of {pictures:,} new pictures each",
        "pictures": f"generator version {VERSION}",
        "full-precision accuracy": f"{accuracy:.2f} % of the {SPLIT_SIZES['test']:,} test pictures",
        "training time": f"{minutes:.0f} min",
        "versions": f"torch {torch.__version__}, timm {timm.__version__}, Python {platform.python_version()}",
        "machine": f"{platform.machine()} CPU, {torch.get_num_threads()} threads, no GPU",
    }


def read_record(path: Path) -> Mapping[str, str]:
    """The lines about one weights file, from its header."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as opened:
        return dict(opened.metadata() or {})


def write_readme(folder: Path) -> None:
    """Write ``README.md`` about all weights files of a folder."""
    parts = [README_HEAD]
    for path in sorted(folder.glob("*.safetensors")):
        # The header keeps no order; reading it sorted keeps the README the same.
        record = sorted(read_record(path).items())
        lines = [f"- {key}: {f'`{value}`' if key == 'command' else value}" for key, value in record]
        parts.append(f"\n## {path.name}\n\n" + "\n".join(lines) + "\n")
    temporary = folder / "README.md.part"
    temporary.write_text("".join(parts), encoding="utf-8")
    temporary.replace(folder / "README.md")
