"""Methods on a model that calls some of its operations several times a forward (a head on each feature level)."""

from __future__ import annotations

import pytest
import torch
from baseline_cases import context_of, run_method
from torch import Tensor, nn

from harness import Uniform, instrument
from harness_plugins.igqvit.replay import recording, replaying


class Levels(nn.Module):
    """A convolution, and a head of two on each of three levels; the first of the head's is called once more."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.shared, self.out = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        features = self.stem(x).relu()
        levels = [nn.functional.max_pool2d(features, size) for size in (1, 2, 4)]
        answers = [self.out(self.shared(level).relu()).flatten(2) for level in levels]
        return torch.cat([*answers, self.shared(features).flatten(2)[:, :2]], -1)


def levels() -> Levels:
    torch.manual_seed(0)
    return Levels().eval()


def pictures() -> Tensor:
    return torch.randn(8, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("method", ["minmax", "omse", "percentile", "easyquant", "bitsplit", "igqvit", "ptqvit"])
def test_every_method_calibrates_one(method: str) -> None:
    model = run_method(method, context_of(levels(), pictures(), 6, 6))
    with torch.no_grad():
        quantized = model(pictures())
        with model.full_precision():
            full = model(pictures())
    assert model.quantizer("shared.weight").describe()["bits"] == 6
    assert 0 < float((quantized - full).norm() / full.norm()) < .2


class Regions(nn.Module):
    """A head on as many regions as the first layer's answer says: a quantized model finds others."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head, self.answer = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        features = self.first(x)
        return self.answer(self.head(features[features[:, 0] > 0]).relu())


@pytest.mark.parametrize("method", ["minmax", "omse", "percentile", "easyquant", "bitsplit", "ptqvit"])
def test_regions_may_be_others_in_the_quantized_model(method: str) -> None:
    torch.manual_seed(0)
    inputs = torch.randn(400, 6)
    model = run_method(method, context_of(Regions().eval(), inputs, 3, 3, batch_size=200), stem_bits=3)
    with torch.no_grad():
        quantized = model(inputs)
        with model.full_precision():
            assert len(model(inputs)) != len(quantized)
    assert bool(quantized.isfinite().all())


def test_ranges_are_those_of_all_levels() -> None:
    """The last level's inputs are maxima of the first's: a range from the first call alone would be too small."""
    context = context_of(levels(), pictures(), 8, 8)
    model = run_method("minmax", context, activations={"name": "uniform", "options": {"scheme": "asymmetric"}})
    seen: list[Tensor] = []
    with model.full_precision(), torch.no_grad():
        model.operation("out").register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        model(pictures())
    quantizer = model.quantizer("out.input")
    assert isinstance(quantizer, Uniform)
    largest = max(float(tensor.max()) for tensor in seen)
    assert float(seen[0].max()) < .95 * largest
    assert float(quantizer.quantize(torch.tensor([100.]))) == pytest.approx(largest, rel=.01)


@pytest.mark.parametrize("until", ["stem", "shared", "out"])
@torch.no_grad()
def test_igqvits_replay_equals_plain_forwards(until: str) -> None:
    model, inputs = instrument(levels(), {}), pictures()
    with recording(model) as tape:
        model(inputs)
    assert [path for path, _ in tape] == ["stem", *["shared", "out"] * 3, "shared"]
    coarse = Uniform(model.sites[f"{until}.weight"].layout.partition("tensor"), 2)
    coarse.set_range(torch.tensor([-.3]), torch.tensor([.3]))
    with replaying(model, tape, until) as rewind:
        rewind()
        unchanged = model(inputs)
        model.place(f"{until}.weight", coarse)
        rewind()
        changed = model(inputs)
    assert torch.equal(changed, model(inputs))
    assert not torch.equal(changed, unchanged)
