"""How long a stage trains, and at which learning rate."""

from __future__ import annotations

import pytest
import torch

from harness import Bits, Budget, Group, OptionError, Stage, TrainingOptions
from harness.testing.toy import toy_context
from harness.training.optimizer import make_optimizer, named_groups, schedule_factor, set_learning_rates


@pytest.mark.parametrize(("text", "shown"), [("1ep", "1ep"), ("1.0ep", "1ep"), ("0.50ep", "0.5ep"),
                                             (" paper ", "paper"), ("steps=200", "steps=200")])
def test_a_budget_has_one_spelling(text: str, shown: str) -> None:
    assert str(Budget.parse(text)) == shown
    assert Budget.parse(shown) == Budget.parse(text)


@pytest.mark.parametrize("text", ["", "0ep", "steps=0", "-1ep", "steps=1.5", "ep", "1e3ep", "nanep", "10"])
def test_an_impossible_budget_is_said(text: str) -> None:
    with pytest.raises(OptionError, match="budget") as error:
        Budget.parse(text)
    assert "steps=200" in error.value.remedy


def test_steps_of_a_stage() -> None:
    assert Budget.parse("steps=200").steps_of(0.25, 120, 1000) == 50
    assert Budget.parse("2ep").steps_of(0.25, 120, 1000) == 500
    assert Budget.parse("paper").steps_of(0.25, 120, 1000) == 120_000
    assert Budget.parse("steps=2").steps_of(0.01, 120, 1000) == 1, "a stage has at least one step"


def test_cosine_with_warm_up() -> None:
    options = TrainingOptions(learning_rate=1.0, final_learning_rate=0.1, warmup=0.2)
    rates = [schedule_factor(options, step, 100) for step in range(100)]
    assert rates[:20] == pytest.approx([(step + 1) / 21 for step in range(20)])
    assert rates[20] == 1.0
    assert rates[60] == pytest.approx(0.1 + 0.9 / 2)
    assert rates[99] == pytest.approx(0.1, abs=1e-3)
    assert rates[20:] == sorted(rates[20:], reverse=True)


@pytest.mark.parametrize(("schedule", "half"), [("linear", 0.5), ("constant", 1.0)])
def test_other_schedules(schedule: str, half: float) -> None:
    options = TrainingOptions.model_validate({"learning_rate": 1.0, "schedule": schedule})
    assert schedule_factor(options, 0, 10) == 1.0
    assert schedule_factor(options, 5, 10) == half


def test_groups_of_parameters() -> None:
    model = toy_context(Bits(4, 4)).model
    groups: dict[str, int] = {}
    for name, parameter in named_groups(model):
        groups[name] = groups.get(name, 0) + parameter.numel()
    assert set(groups) == {"weights", "others"}
    assert sum(groups.values()) == sum(parameter.numel() for parameter in model.parameters())


def test_a_group_has_its_own_rate_and_stays_as_it_is_after_its_time() -> None:
    model = toy_context(Bits(4, 4)).model
    training = TrainingOptions(learning_rate=1.0, weight_decay=0.3, schedule="constant")
    optimizer = make_optimizer(model, Stage("s", training, [], groups={"others": Group(0.5, until=0.4)}))
    by_name = {group["name"]: group for group in optimizer.param_groups}
    assert (by_name["weights"]["weight_decay"], by_name["others"]["weight_decay"]) == (0.3, 0.0)
    set_learning_rates(optimizer, training, 3, 10)
    assert (by_name["weights"]["lr"], by_name["others"]["lr"]) == (1.0, 0.5)
    assert all(parameter.requires_grad for parameter in by_name["others"]["params"])
    set_learning_rates(optimizer, training, 4, 10)
    assert not any(parameter.requires_grad for parameter in by_name["others"]["params"])
    assert all(parameter.requires_grad for parameter in by_name["weights"]["params"])


def test_an_unknown_group_is_said() -> None:
    model = toy_context(Bits(4, 4)).model
    with pytest.raises(OptionError, match="assignments"):
        make_optimizer(model, Stage("s", TrainingOptions(), [], groups={"assignments": Group()}))


def test_a_group_that_is_not_trained_is_frozen() -> None:
    model = toy_context(Bits(4, 4)).model
    optimizer = make_optimizer(model, Stage("s", TrainingOptions(), [], groups={"weights": Group(until=0)}))
    assert [group["name"] for group in optimizer.param_groups] == ["others"]
    assert isinstance(optimizer, torch.optim.AdamW)
    assert not any(parameter.requires_grad for name, parameter in named_groups(model) if name == "weights")
