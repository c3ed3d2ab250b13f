"""HAQ: the agent against a slow reference, bits from actions, the budget, and the search as a whole."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from allocation_cases import allocated, check_run, space_of
from torch import Tensor

from harness import BitSpace, OptionError
from harness.options import resolve
from harness_plugins.haq.agent import Agent, truncated_normal
from harness_plugins.haq.bits import bits_of, lowered
from harness_plugins.haq.memory import Memory
from harness_plugins.haq.options import HaqOptions
from harness_plugins.haq.states import site_states

QUICK = {"episodes": 6, "warmup": 3, "samples": 16, "finetune": 0, "actor_hidden": 8, "critic_hidden": 8,
         "batch_size": 16}


@pytest.fixture(scope="module")
def space() -> BitSpace:
    return space_of((2, 3, 4, 5, 6))


@pytest.mark.parametrize(("action", "bits"), [
    # round(7 a + 1.5), half to even, of 2 to 8 bits
    (0.0, 2), (0.07, 2), (0.072, 2), (0.22, 3), (0.5, 5), (0.92, 8), (0.93, 8), (1.0, 8)])
def test_bits_of_an_action(action: float, bits: int) -> None:
    assert bits_of(action, range(2, 9)) == bits
    assert bits == min(8, max(2, round(action * 7 + 1.5)))


def test_the_smallest_action_is_clamped() -> None:
    """round(0.5) is 0 where the fewest bits are 1."""
    assert bits_of(0.0, range(1, 9)) == 1


def test_places_stand_for_bits_that_are_not_consecutive() -> None:
    assert [bits_of(action, (2, 4, 8)) for action in (0.0, 0.3, 0.4, 0.6, 0.7, 1.0)] == [2, 2, 4, 4, 8, 8]


def reference_lowering(space: BitSpace, bits: list[int], limit: float) -> list[int]:
    """The rule as a loop over positions."""
    while True:
        for position in range(len(bits) - 1, -1, -1):
            if space.total(dict(zip(space.sites, bits, strict=True))) <= limit:
                return bits
            bits[position] = max(2, bits[position] - 1)


def test_bits_are_lowered_from_the_last_site_until_they_fit(space: BitSpace) -> None:
    generator = torch.Generator().manual_seed(0)
    for start in ([6] * len(space.sites), torch.randint(2, 7, (len(space.sites),), generator=generator).tolist()):
        found = lowered(space, dict(zip(space.sites, start, strict=True)))
        assert list(found.values()) == reference_lowering(space, list(start), space.limit())
        assert space.total(found) <= space.limit()
    fits = dict.fromkeys(space.sites, 4)
    assert lowered(space, fits) == fits


def test_states_are_normalised_features_of_the_sites(space: BitSpace) -> None:
    states = site_states(space)
    paths = list(space.sites)
    assert states.shape == (len(paths), 10)
    assert float(states.min()) == 0
    assert float(states.max()) == 1
    kind, channels, outputs, stride, kernel, weights, elements, index, last, is_weight = states.unbind(1)
    torch.testing.assert_close(index, torch.linspace(0, 1, len(paths)))
    assert last.tolist() == [0] * len(paths)
    assert is_weight.tolist() == [float(path.endswith("weight")) for path in paths]
    stem, fc1, scores, attention, head = (paths.index(path) for path in (
        "stem.weight", "blocks.0.fc1.weight", "blocks.0.attn.query", "blocks.0.attn.attention", "head.input"))
    assert kind[[stem, fc1, scores, attention]].tolist() == pytest.approx([0, 2 / 4, 3 / 4, 1])
    assert (stride[stem], kernel[stem]) == (1, 1)  # 4, of which all others have 1
    assert stride.sum() == kernel.sum() == 1
    # stem 3, qkv 16, fc2 32 input channels; scores sum over 8 of a head's channels
    assert channels[[stem, fc1, scores]].tolist() == pytest.approx([0, 13 / 29, 5 / 29])
    assert weights[[fc1, scores]].tolist() == pytest.approx([512 / 768, 0])
    assert outputs[head] == 0  # 5 classes are the fewest
    assert elements[stem] == 1  # 3 * 16 * 16


def test_truncated_normal_is_inside_and_has_the_right_mean() -> None:
    generator = torch.Generator().manual_seed(0)
    for mean, deviation in ((0.5, 0.1), (0.9, 0.5), (0.0, 0.5), (1.0, 1e-3)):
        draws = torch.tensor([truncated_normal(mean, deviation, generator) for _ in range(4000)])
        assert 0 <= float(draws.min()) <= float(draws.max()) <= 1
        low, high = -mean / deviation, (1 - mean) / deviation
        density = [math.exp(-x * x / 2) / math.sqrt(2 * math.pi) for x in (low, high)]
        mass = 0.5 * (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2)))
        expected = mean + deviation * (density[0] - density[1]) / mass
        assert float(draws.mean()) == pytest.approx(expected, abs=0.02)
    assert truncated_normal(0.3, 0.0, generator) == 0.3


def options(**given: object) -> HaqOptions:
    return resolve(HaqOptions, {"actor_hidden": 6, "critic_hidden": 5, "batch_size": 4, **given}, "search haq")


def filled(size: int = 30, states: int = 3) -> Memory:
    memory, generator = Memory(1000), torch.Generator().manual_seed(1)
    for step in range(size):
        state, following = torch.rand(2, states, generator=generator)
        memory.add(state, float(torch.rand((), generator=generator)), step / 10, following, step % 5 == 4)
    return memory


def test_the_oldest_transitions_are_forgotten() -> None:
    memory = Memory(3)
    for number in range(5):
        memory.add(torch.full((2,), float(number)), 0.5, float(number), torch.zeros(2), False)
    assert len(memory) == 3
    assert set(memory.sample(200, torch.Generator().manual_seed(0))[2].flatten().tolist()) == {2.0, 3.0, 4.0}


def test_one_update_is_that_of_ddpg_with_a_baseline() -> None:
    given = options(tau=0.1, discount=0.9, batch_size=16)
    agent = Agent(3, given, torch.Generator().manual_seed(0))
    memory = filled()
    agent.learn(memory)  # the targets now differ from the networks
    with torch.no_grad():
        agent._target_critic.rest[-1].bias.add_(3.0)  # later values that matter beside the rewards
    actor, critic = copy.deepcopy(agent.actor), copy.deepcopy(agent.critic)
    slow_actor, slow_critic = copy.deepcopy(agent._target_actor), copy.deepcopy(agent._target_critic)
    optimizers = [torch.optim.AdamW(critic.parameters(), lr=1e-3), torch.optim.AdamW(actor.parameters(), lr=1e-4)]
    for optimizer, own in zip(optimizers, (agent._critic_optimizer, agent._actor_optimizer), strict=True):
        optimizer.load_state_dict(copy.deepcopy(own.state_dict()))
    drawn = torch.Generator()
    drawn.set_state(agent._generator.get_state())
    baseline = agent.baseline
    agent.learn(memory)

    state, action, reward, following, last = memory.sample(16, drawn)
    assert 0 < float(last.sum()) < 16
    assert baseline is not None
    baseline += 0.5 * (float(reward.mean()) - baseline)
    assert agent.baseline == pytest.approx(baseline)
    errors = []
    for i in range(16):
        later = 0.0 if last[i] else float(slow_critic(following[i], slow_actor(following[i])).detach())
        errors.append((critic(state[i], action[i]) - (reward[i] - baseline + 0.9 * later)) ** 2)
    step(optimizers[0], sum(errors, start=torch.zeros(1)) / 16)
    step(optimizers[1], -sum((critic(state[i], actor(state[i])) for i in range(16)), start=torch.zeros(1)) / 16)
    for own, expected, before, target in ((agent.actor, actor, slow_actor, agent._target_actor),
                                          (agent.critic, critic, slow_critic, agent._target_critic)):
        for a, b, c, d in zip(own.parameters(), expected.parameters(), before.parameters(), target.parameters(),
                              strict=True):
            torch.testing.assert_close(a, b)
            torch.testing.assert_close(d, 0.1 * b + 0.9 * c)


def step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


@pytest.mark.parametrize("best", [0.0, 1.0])
def test_the_agent_learns_which_action_pays(best: float) -> None:
    agent = Agent(2, options(actor_learning_rate=1e-2, critic_learning_rate=1e-2, batch_size=32, actor_hidden=16,
                             critic_hidden=16, tau=0.1), torch.Generator().manual_seed(0))
    memory, state = Memory(500), torch.tensor([0.5, 0.5])
    assert agent.action(state, 0.0) == pytest.approx(0.5, abs=0.05)  # the output layer starts near zero
    for episode in range(120):
        action = agent.random_action() if episode < 40 else agent.action(state, 0.2)
        memory.add(state, action, -abs(action - best), state, True)
        if episode >= 40:
            agent.learn(memory)
    assert agent.action(state, 0.0) == pytest.approx(best, abs=0.1)


@pytest.mark.parametrize("method", ["minmax", "lsq"])
def test_it_runs_with_any_method(method: str) -> None:
    context = check_run("haq", method, **{**QUICK, "episodes": 4, "warmup": 2})
    notes = context.notes["allocation"]
    assert notes["episodes"] == len(notes["rewards"]) == 4
    assert notes["best_reward"] == max(notes["rewards"])
    assert notes["bops"] <= 1


def test_the_reward_is_a_tenth_of_the_accuracy_above_full_precision() -> None:
    context = allocated("haq", **QUICK, candidates=[3, 4])
    notes = context.notes["allocation"]
    trial = context.trial(context.allocation)
    gained = trial.score(16).metrics["top1"] - context.score(16).metrics["top1"]
    assert notes["best_reward"] == pytest.approx(0.1 * gained, abs=1e-4)
    assert notes["reference"] == context.score(16).metrics["top1"]


def test_the_same_seed_gives_the_same_search() -> None:
    first, second, other = (allocated("haq", seed=seed, **QUICK) for seed in (0, 0, 1))
    assert first.allocation == second.allocation
    assert first.notes["allocation"] == second.notes["allocation"]
    assert first.notes["allocation"]["rewards"] != other.notes["allocation"]["rewards"]


def test_finetuning_trains_the_trials_for_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness import Context

    trained = []
    train = Context.train
    monkeypatch.setattr(Context, "train", lambda self, stage: (trained.append((stage.name, stage.share)),
                                                               train(self, stage))[1])
    context = allocated("haq", **{**QUICK, "episodes": 2, "finetune": 0.5}, steps=4)
    assert set(trained) == {("haq finetuning", 0.5)}
    assert len(trained) == context.notes["allocation"]["trials"]
    assert "training" not in context.notes  # a trial's training is not the run's


def test_a_task_without_training_samples_is_named() -> None:
    context = allocated("haq", **QUICK)
    context.trainer = None
    search = context.registry.searches["haq"]
    with pytest.raises(OptionError, match="nothing to train with"):
        context.registry.component(search)(resolve(HaqOptions, QUICK, "search haq")).run(context)


def test_the_defaults_are_the_papers() -> None:
    default = HaqOptions()
    assert (default.episodes, default.warmup, default.batch_size) == (600, 20, 64)
    assert (default.tau, default.discount) == (.01, 1)
    assert (default.noise, default.noise_decay, default.memory, default.reward_scale) == (.5, .99, 128, .1)
    assert (default.actor_hidden, default.critic_hidden) == (300, 400)
    assert (default.actor_learning_rate, default.critic_learning_rate, default.optimizer) == (1e-4, 1e-3, "adamw")
    training = default.finetuning
    assert (training.epochs, training.optimizer, training.learning_rate) == (1, "sgd", 1e-3)
