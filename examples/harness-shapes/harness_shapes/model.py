"""The model: down to half the size, and up again."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .drawing import CLASSES


class Hourglass(nn.Module):
    """Pictures (batch, 1, side, side) to logits (batch, classes, side, side)."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1)
        self.down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.middle = nn.ModuleList(nn.Conv2d(2 * width, 2 * width, 3, padding=2, dilation=2) for _ in range(3))
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.head = nn.Conv2d(width, len(CLASSES), 1)

    def forward(self, pictures: Tensor) -> Tensor:
        fine = torch.relu(self.stem(pictures))
        coarse = torch.relu(self.down(fine))
        for layer in self.middle:
            coarse = coarse + torch.relu(layer(coarse))
        return self.head(torch.relu(self.up(coarse)) + fine)
