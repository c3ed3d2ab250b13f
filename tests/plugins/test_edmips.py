"""EdMIPS: the vectors of equal logits, the penalty, what is chosen in the end, and the search as a whole."""

from __future__ import annotations

import itertools

import pytest
import torch
from allocation_cases import allocated, check_run, space_of

from harness import BitMixture, Bits, BitSpace, Partition, Step, Uniform, expected_bits
from harness.testing.toy import toy_context
from harness_plugins.edmips.mixture import Complexity, SoftmaxMixture
from harness_plugins.edmips.options import EdmipsOptions


def uniform(bits: int) -> Uniform:
    quantizer = Uniform(Partition.tensor(), bits, "symmetric")
    quantizer.set_range(torch.tensor([-1.0]), torch.tensor([1.0]))
    return quantizer


def mixture(*bits: int) -> SoftmaxMixture:
    return SoftmaxMixture({each: uniform(each) for each in bits}, 0.01)


def test_equal_logits_mix_equally() -> None:
    mixed, x = mixture(2, 3, 4), torch.randn(50) * 0.4
    assert mixed.alpha.tolist() == pytest.approx([0.01] * 3)
    assert mixed.expected_bits().item() == pytest.approx(3)
    torch.testing.assert_close(mixed(x), (uniform(2)(x) + uniform(3)(x) + uniform(4)(x)) / 3)


def test_shares_are_the_softmax() -> None:
    mixed = mixture(2, 8)
    with torch.no_grad():
        mixed.alpha.copy_(torch.tensor([0.0, 1.0]))
    share = 1 / (1 + torch.tensor(-1.0).exp().item())
    assert mixed.expected_bits().item() == pytest.approx(2 * (1 - share) + 8 * share)
    assert mixed.parameter_group("alpha") == "bits"


def supernet(space: BitSpace) -> dict[str, BitMixture]:
    made: dict[str, BitMixture] = {path: mixture(2, 3, 4) for path in space.sites}
    for path, each in made.items():
        space.base.model.place(path, each)
    return made


def step_of(space: BitSpace) -> Step:
    nothing = torch.zeros(())
    return Step(space.base.model, None, [], nothing, nothing, {}, 0, 0.0, lambda batch: None)  # type: ignore[arg-type]


def test_equal_logits_over_2_3_4_cost_nine_a_mac() -> None:
    space = space_of((2, 3, 4))
    supernet(space)
    macs = {operation.path: operation.macs for operation in space.operations}
    stem = 3 * 8 * macs.pop("stem")  # its input has 8 bits
    ratio = Complexity(space, 1.0)(step_of(space)).item()
    expected = (9 * sum(macs.values()) + stem) / (16 * sum(macs.values()) + 4 * stem / 3)
    assert ratio == pytest.approx(expected, rel=1e-6)


def test_the_penalty_pulls_every_logit_towards_fewer_bits() -> None:
    space = space_of((2, 3, 4))
    made = supernet(space)
    Complexity(space, 1.0)(step_of(space)).backward()
    assert expected_bits(space.base.model).keys() == made.keys()
    for each in made.values():
        gradient = each.alpha.grad  # type: ignore[union-attr]
        assert gradient[0] < 0 < gradient[2]
        assert gradient[1] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("method", ["minmax", "lsq"])
def test_it_runs_with_any_method(method: str) -> None:
    notes = check_run("edmips", method, candidates=[2, 4, 6], share=1.0, bits_learning_rate=0.1).notes["allocation"]
    assert notes["training"]["steps"] == 2
    assert notes["bops"] <= 1


def test_the_most_probable_bits_within_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against every choice for a handful of sites; all others have settled on the run's bits."""
    from harness_plugins.edmips import search as module

    paths = ["blocks.0.attn.query", "blocks.0.attn.key", "blocks.0.fc1.weight", "blocks.0.fc1.input", "head.input"]
    seen: dict[str, object] = {}

    def trained(space: BitSpace, make: object, options: object, penalty: object, name: str) -> tuple[object, object]:
        generator = torch.Generator().manual_seed(3)
        made = {path: mixture(2, 4, 6) for path in space.sites}
        with torch.no_grad():
            for path, each in made.items():
                each.alpha.copy_(torch.randn(3, generator=generator) if path in paths else torch.tensor([-90., 0, -90]))
            made[paths[2]].alpha[2] = 5.0
        seen.update(space=space, made=made)
        return made, {}

    monkeypatch.setattr(module, "train_supernet", trained)
    context = allocated("edmips", candidates=[2, 4, 6], budget=0.97)
    space, made = seen["space"], seen["made"]
    logs = {path: made[path].alpha.log_softmax(0).tolist() for path in paths}  # type: ignore[index]
    best, chosen = -float("inf"), {}
    for each in itertools.product(range(3), repeat=len(paths)):
        bits = {path: (2, 4, 6)[index] for path, index in zip(paths, each, strict=True)}
        value = sum(logs[path][index] for path, index in zip(paths, each, strict=True))
        if space.total(bits) <= space.limit() and value > best:  # type: ignore[attr-defined]
            best, chosen = value, bits
    assert {path: context.allocation[path] for path in paths} == chosen
    assert all(bits == 4 for path, bits in context.allocation.items() if path not in paths)
    alone = allocated("edmips", candidates=[2, 4, 6], budget=0.97, discretize="argmax")
    most = {path: (2, 4, 6)[max(range(3), key=lambda i: logs[path][i])] for path in paths}
    assert {path: alone.allocation[path] for path in paths} == most != chosen
    assert alone.notes["allocation"]["bops"] > 0.97


def test_a_strong_penalty_leaves_the_fewest_bits_and_none_is_needed_without() -> None:
    heavy = allocated("edmips", candidates=[2, 4], complexity=1e4, bits_learning_rate=0.1, weights="frozen", share=2.0)
    assert set(heavy.allocation.values()) == {2}


def test_the_same_seed_gives_the_same_search() -> None:
    first, second = (allocated("edmips", candidates=[2, 4, 6]) for _ in range(2))
    assert first.notes["allocation"] == second.notes["allocation"]


def test_the_defaults_are_quantformers() -> None:
    default = EdmipsOptions()
    assert (default.bits_learning_rate, default.start, default.training.epochs) == (1e-5, 0.01, 50)
    assert (default.training.learning_rate, default.training.final_learning_rate) == (1e-4, 1e-6)
    assert (default.training.optimizer, default.training.schedule) == ("adamw", "cosine")
    assert toy_context(Bits(4, 4)).allocation == {}
