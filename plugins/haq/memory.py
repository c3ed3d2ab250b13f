"""What the agent remembers: transitions, the oldest of which are forgotten."""

from __future__ import annotations

from collections import deque

import torch
from torch import Tensor

#: state (n,), action (1,), reward (1,), next state (n,), 1 at the last step of an episode (1,)
Transition = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


class Memory:
    """A ring of ``capacity`` transitions."""

    def __init__(self, capacity: int) -> None:
        self._transitions: deque[Transition] = deque(maxlen=capacity)

    def __len__(self) -> int:
        return len(self._transitions)

    def add(self, state: Tensor, action: float, reward: float, following: Tensor, last: bool) -> None:
        """Remember one step."""
        self._transitions.append((state, torch.tensor([action]), torch.tensor([reward]), following,
                                  torch.tensor([float(last)])))

    def sample(self, count: int, generator: torch.Generator) -> Transition:
        """``count`` transitions drawn with replacement, stacked: (count, n), (count, 1), ..."""
        drawn = torch.randint(len(self._transitions), (count,), generator=generator).tolist()
        columns = zip(*(self._transitions[index] for index in drawn), strict=True)
        state, action, reward, following, last = (torch.stack(column) for column in columns)
        return state, action, reward, following, last
