"""The search ``haq``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from harness import AllocationSearch, BitSpace, Choice, Context, Scores, Stage

from .agent import Agent
from .bits import bits_of, lowered
from .memory import Memory
from .options import HaqOptions
from .states import LAST_BITS, site_states

#: Rewards are noted as at most so many means of consecutive episodes.
_CURVE_POINTS = 100


class HaqSearch(AllocationSearch[HaqOptions]):
    """Wang et al. 2019: an agent walks over the sites and gives each its bits; what exceeds the budget is lowered from
    the last site upward; the accuracy of the model with these bits rewards every step of the walk.

    The allocation of the highest reward is taken.
    """

    name = "haq"

    def choose(self, context: Context, space: BitSpace) -> tuple[dict[str, int], dict[str, Any]]:
        """Raises :class:`harness.OptionError` for a task without training samples."""
        options = self.options
        reference = _main_metric(context.score(options.samples))
        features = site_states(space)
        agent = Agent(features.shape[1], options, context.generator)
        memory = Memory(options.memory * len(space.sites))
        known: dict[tuple[int, ...], float] = {}  # a trial is a function of its bits
        rewards: list[float] = []
        best: dict[str, int] = {}
        with context.progress("haq", options.episodes) as advance:
            for episode in range(options.episodes):
                states, actions = self._walk(space, agent, features.clone(), episode)
                allocation = lowered(space, {path: bits_of(action, space.candidates)
                                             for path, action in zip(space.sites, actions, strict=True)})
                key = tuple(allocation.values())
                if key not in known:
                    known[key] = options.reward_scale * (self._accuracy(space, allocation) - reference)
                if not rewards or known[key] > max(rewards):
                    best = allocation
                rewards.append(known[key])
                for step, action in enumerate(actions):
                    last = step == len(actions) - 1
                    memory.add(states[step], action, known[key], states[step if last else step + 1], last)
                    if episode >= options.warmup:
                        agent.learn(memory)
                advance(f"reward {rewards[-1]:.3g}, best {max(rewards):.3g}")
        curve = torch.tensor(rewards, dtype=torch.float64).tensor_split(min(_CURVE_POINTS, len(rewards)))
        return best, {"episodes": len(rewards), "trials": len(known), "reference": round(reference, 4),
                      "best_reward": round(max(rewards), 4), "rewards": [round(float(p.mean()), 4) for p in curve]}

    def _walk(self, space: BitSpace, agent: Agent, states: Tensor, episode: int) -> tuple[Tensor, list[float]]:
        """The states of one episode, (sites, n), with the last bits filled in, and the actions taken in them."""
        deviation = self.options.noise * self.options.noise_decay ** (episode - self.options.warmup)
        least, most = space.candidates[0], space.candidates[-1]
        last, actions = most, []
        for state in states:
            state[LAST_BITS] = (last - least) / (most - least)
            actions.append(agent.random_action() if episode < self.options.warmup else agent.action(state, deviation))
            last = bits_of(actions[-1], space.candidates)
        return states, actions

    def _accuracy(self, space: BitSpace, allocation: dict[str, int]) -> float:
        trial = space.trial(allocation)
        if self.options.finetune:
            trial.train(Stage("haq finetuning", self.options.finetuning, (Choice(name="task"),), self.options.finetune))
        return _main_metric(trial.score(self.options.samples))


def _main_metric(scores: Scores) -> float:
    return next(iter(scores.metrics.values()))
