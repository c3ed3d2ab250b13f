"""The DDPG agent (Lillicrap et al., ICLR 2016) as HAQ uses it: one action in [0, 1] a step."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

from .memory import Memory
from .options import HaqOptions

Network = TypeVar("Network", bound=nn.Module)

#: The baseline is a moving average of the batches' mean rewards, of this rate.
_BASELINE_RATE = 0.5
#: Output layers start this close to zero, so that first actions lie near 1/2.
_OUTPUT_RANGE = 3e-3


class Actor(nn.Sequential):
    """State (..., n) -> action (..., 1) in [0, 1]."""

    def __init__(self, states: int, hidden: int) -> None:
        super().__init__(nn.Linear(states, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
                         nn.Linear(hidden, 1), nn.Sigmoid())


class Critic(nn.Module):
    """State (..., n) and action (..., 1) -> value (..., 1)."""

    def __init__(self, states: int, hidden: int) -> None:
        super().__init__()
        self.state, self.action = nn.Linear(states, hidden), nn.Linear(1, hidden)
        self.rest = nn.Sequential(nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, state: Tensor, action: Tensor) -> Tensor:
        return self.rest(self.state(state) + self.action(action))


class Agent:
    """Actor and critic, each with a slowly following target network. All randomness comes from ``generator``."""

    def __init__(self, states: int, options: HaqOptions, generator: torch.Generator) -> None:
        self._options, self._generator = options, generator
        with torch.random.fork_rng(devices=[]):  # building a layer draws its first weights
            self.actor = _initialised(Actor(states, options.actor_hidden), generator)
            self.critic = _initialised(Critic(states, options.critic_hidden), generator)
        self._target_actor, self._target_critic = copy.deepcopy(self.actor), copy.deepcopy(self.critic)
        kind = torch.optim.AdamW if options.optimizer == "adamw" else torch.optim.Adam
        self._actor_optimizer = kind(self.actor.parameters(), lr=options.actor_learning_rate)
        self._critic_optimizer = kind(self.critic.parameters(), lr=options.critic_learning_rate)
        self.baseline: float | None = None

    def random_action(self) -> float:
        """Uniform in [0, 1]."""
        return float(torch.rand((), generator=self._generator))

    @torch.no_grad()
    def action(self, state: Tensor, deviation: float) -> float:
        """The actor's action for a state (n,), with noise of this standard deviation, truncated to [0, 1]."""
        return truncated_normal(float(self.actor(state)), deviation, self._generator)

    def learn(self, memory: Memory) -> None:
        """One update of both networks from a random batch of transitions."""
        state, action, reward, following, last = memory.sample(self._options.batch_size, self._generator)
        mean = float(reward.mean())
        self.baseline = mean if self.baseline is None else self.baseline + _BASELINE_RATE * (mean - self.baseline)
        with torch.no_grad():
            later = self._target_critic(following, self._target_actor(following))
            target = reward - self.baseline + self._options.discount * (1 - last) * later
        _step(self._critic_optimizer, (self.critic(state, action) - target).square().mean())
        _step(self._actor_optimizer, -self.critic(state, self.actor(state)).mean())
        with torch.no_grad():
            for network, slow in ((self.actor, self._target_actor), (self.critic, self._target_critic)):
                for own, other in zip(network.parameters(), slow.parameters(), strict=True):
                    other.lerp_(own, self._options.tau)


def truncated_normal(mean: float, deviation: float, generator: torch.Generator) -> float:
    """A draw from the normal distribution of this mean (in [0, 1]) and deviation, restricted to [0, 1]."""
    if deviation <= 0:
        return mean
    ends = torch.tensor([(0 - mean) / deviation, (1 - mean) / deviation], dtype=torch.float64)
    low, high = torch.special.ndtr(ends).tolist()
    place = low + (high - low) * torch.rand((), generator=generator, dtype=torch.float64)
    return min(1.0, max(0.0, mean + deviation * float(torch.special.ndtri(place))))


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _initialised(network: Network, generator: torch.Generator) -> Network:
    """Hidden layers uniform within ``1 / sqrt(fan-in)``, the output layer within a small range."""
    layers = [module for module in network.modules() if isinstance(module, nn.Linear)]
    for layer in layers:
        bound = _OUTPUT_RANGE if layer is layers[-1] else layer.in_features ** -0.5
        for parameter in layer.parameters():
            nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return network
