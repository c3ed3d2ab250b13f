"""The methods ``ocs`` and ``ocs_qat``: what is split and quantized where, what is trained, and what is said of it."""

from __future__ import annotations

from math import ceil
from typing import Any, ClassVar

import pytest
import torch
from baseline_cases import case, context_of, conv_net, linear_net, run_method, transformer
from torch import Tensor, nn

from harness import Bits, Choice, Context, Identity, LearnedUniform, OptionError, QuantizationError, Uniform, trace
from harness.registry import registry
from harness.testing.conformance import MethodConformance
from harness.testing.toy import toy_context
from harness_plugins.ocs.options import OcsQatOptions, SplittingOptions
from harness_plugins.ocs.quantizer import SplitChannels, SplitLargest
from harness_plugins.ocs.search import OutlierSplitting
from harness_plugins.ocs.splitting import split_weight


class TestOcs(MethodConformance):
    method = "ocs"


class TestActivationSplitting(MethodConformance):
    method = "ocs"
    options: ClassVar = {"search": {"target": "activation", "expand_ratio": 0.1}}


class TestOracle(MethodConformance):
    method = "ocs"
    options: ClassVar = {"search": {"target": "activation", "channels": "oracle"}}


class TestManySplits(MethodConformance):
    method = "ocs"
    options: ClassVar = {"search": {"expand_ratio": 0.5, "weight_clip": "mse", "activation_clip": "kl",
                                    "attention_clip": "aciq", "partial_threshold": 0.2}}


class TestOcsQat(MethodConformance):
    method = "ocs_qat"


def test_conformance_notices_more_values_than_an_expansion_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than 2^b values in channels that are not split, or more than sums of n + 1 numbers can take."""
    described = SplitChannels.describe
    case = type("Case", (MethodConformance,), {"method": "ocs"})()
    case.test_weights_take_at_most_two_to_the_bits_values_a_slot()
    monkeypatch.setattr(SplitChannels, "describe", lambda self: described(self) | {"bits": 3})
    with pytest.raises(AssertionError, match="in channels that are not sums"):
        case.test_weights_take_at_most_two_to_the_bits_values_a_slot()
    monkeypatch.setattr(SplitChannels, "describe", lambda self: described(self) | {"bits": 2})
    with pytest.raises(AssertionError, match=r"takes \d+ values$"):
        case.test_weights_take_at_most_two_to_the_bits_values_a_slot()


def search(**options: Any) -> dict[str, Any]:
    return {"search": {"name": "ocs", "options": options}}


def expanded_weight(context: Context, path: str) -> Tensor:
    quantizer = context.model.quantizer(path)
    weight = context.model.operation(context.model.sites[path].operation).get_parameter("weight").detach()
    return quantizer.table(weight).expand(weight)  # type: ignore[operator]


@pytest.mark.parametrize("ratio", [0.02, 0.1, 0.25])
def test_every_layer_but_the_first_is_split(ratio: float) -> None:
    context = case("transformer")
    model = run_method("ocs", context, **search(expand_ratio=ratio))
    for path, site in model.sites.items():
        quantizer = model.quantizer(path)
        if site.role in ("patch_embed", "embedding"):
            assert isinstance(quantizer, Identity), path
        elif site.is_weight:
            inputs = site.layout.sizes[1] or 0
            assert isinstance(quantizer, SplitChannels), path
            assert quantizer.describe()["expansion"] == (inputs + ceil(ratio * inputs)) / inputs
            assert len(context.notes["split_channels"][path]) == ceil(ratio * inputs)
        else:
            assert type(quantizer) is Uniform, path
            assert quantizer.scheme == "symmetric"


def test_splits_are_the_ratio_rounded_up() -> None:
    at = lambda ratio, channels: OutlierSplitting(SplittingOptions(expand_ratio=ratio)).splits(channels)  # noqa: E731
    assert [at(.02, 192), at(.02, 768), at(.34, 3), at(0, 192), at(.02, None)] == [4, 16, 2, 0, 0]
    assert at(.07, 100) == 7  # 0.07 * 100 is 7.000000000000001


def test_without_a_ratio_or_a_target_nothing_is_split() -> None:
    plain = [run_method("ocs", context_of(linear_net(), torch.randn(9, 6), 4, 4), **options)
             for options in (search(expand_ratio=0), search(target=None))]
    for model in plain:
        weight = model.operation("2").weight.detach()
        assert type(model.quantizer("2.weight")) is Uniform
        assert float(model.quantizer("2.weight").scale) == pytest.approx(float(weight.abs().max()) / 7)


@pytest.mark.parametrize("split", ["naive", "qa"])
@pytest.mark.parametrize("clip", [None, "mse"])
def test_the_threshold_is_that_of_a_naive_split(split: str, clip: str | None) -> None:
    """And the split that is asked for starts again from the weights, with that threshold's step."""
    context = context_of(linear_net(), torch.randn(9, 6), 4, 4)
    options = search(expand_ratio=.5, split=split, weight_clip=clip)
    quantizer = run_method("ocs", context, **options).quantizer("2.weight")
    weight = context.model.operation("2").weight.detach()
    naive = split_weight(weight, -1, 4, "naive")
    plain = run_method("ocs", context_of(nn.Sequential(nn.Linear(6, 12), nn.ReLU(), _with(naive.expand(weight))),
                                         torch.randn(9, 6), 4, 4), **search(expand_ratio=0, weight_clip=clip))
    step = float(quantizer.inner.scale)
    assert step == pytest.approx(float(plain.quantizer("2.weight").scale))
    expected = naive if split == "naive" else split_weight(weight, -1, 4, "qa", step)
    for name in ("source", "gain", "offset"):
        assert torch.equal(getattr(quantizer, name), getattr(expected, name))


def _with(weight: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], len(weight))
    layer.weight = nn.Parameter(weight)
    return layer


def test_the_partial_threshold_reaches_the_split() -> None:
    context = context_of(linear_net(), torch.randn(9, 6), 4, 4)
    quantizer = run_method("ocs", context, **search(expand_ratio=.5, partial_threshold=.5)).quantizer("2.weight")
    assert quantizer.gain.shape == (4, 12)
    assert bool((quantizer.gain == 0).any())


def test_clip_ratios() -> None:
    data = torch.randn(9, 6)
    whole, half = (run_method("ocs", context_of(linear_net(), data, 4, 4), **search(**options)) for options in (
        {}, {"weight_clip_ratio": .5, "activation_clip_ratio": .25}))
    assert float(half.quantizer("2.weight").inner.scale) == pytest.approx(
        .5 * float(whole.quantizer("2.weight").inner.scale))
    assert float(half.quantizer("2.input").scale) == pytest.approx(.25 * float(whole.quantizer("2.input").scale))
    with pytest.raises(OptionError, match="clip ratio"):
        run_method("ocs", case("linear"), **search(weight_clip="mse", weight_clip_ratio=.5))


@pytest.mark.parametrize("option", ["weight_clip", "activation_clip", "attention_clip"])
@pytest.mark.parametrize("clip", ["mse", "aciq", "kl"])
def test_each_clip_concerns_its_sites(option: str, clip: str) -> None:
    steps = []
    for options in ({}, {option: clip}):
        model = run_method("ocs", case("transformer"), **search(target=None, **options))
        steps.append({path: float(quantizer.scale) for path, quantizer in model.quantizers.items()
                      if isinstance(quantizer, Uniform)})
    different = {path for path in steps[0] if steps[0][path] != steps[1][path]}
    concerned = {"weight_clip": {"weight"}, "activation_clip": {"input"},
                 "attention_clip": {"query", "key", "attention", "value"}}[option]
    assert different
    assert {path.rpartition(".")[2] for path in different} <= concerned
    assert all(steps[1][path] < steps[0][path] for path in different)


def test_the_channel_with_the_outliers_is_split() -> None:
    model, data = linear_net(), torch.rand(40, 6)
    with torch.no_grad():
        model[0].bias[5] += 20  # channel 5 of the hidden layer has all the outliers
    context = context_of(model, data, 4, 4)
    quantizer = run_method("ocs", context, **search(target="activation", percentile=80)).quantizer("2.input")
    hidden = torch.relu(model[0](data)).detach()
    assert context.notes["split_channels"] == {"2.input": [5]}
    assert type(context.model.quantizer("2.weight")) is Uniform
    rest = hidden[:, [0, 1, 2, 3, 4, 6, 7]].abs().max()
    assert float(quantizer.inner.scale) == pytest.approx(float(torch.maximum(rest, hidden[:, 5].max() / 2)) / 7)
    assert float(quantizer.offset.abs().max()) == 0


def test_activations_may_be_split_quantization_aware() -> None:
    options = search(target="activation", activation_split="qa")
    quantizer = run_method("ocs", case("linear"), **options).quantizer("2.input")
    assert sorted(quantizer.offset[quantizer.gain < 1].tolist()) == [-.25, .25]


def test_the_oracles_threshold_is_that_of_split_batches() -> None:
    model, data = linear_net(), torch.randn(12, 6)
    quantizer = run_method("ocs", context_of(model, data, 4, 4, batch_size=4), **search(
        target="activation", channels="oracle", expand_ratio=.25)).quantizer("2.input")
    assert isinstance(quantizer, SplitLargest)
    assert quantizer.splits == 2
    largest = 0.0
    for batch in torch.relu(model[0](data)).detach().split(4):
        peaks = batch.abs().amax(0).sort(descending=True).values
        largest = max(largest, float(peaks[0]) / 2, float(peaks[2]))
    assert float(quantizer.inner.scale) == pytest.approx(largest / 7)


def test_convolutions_are_split_along_their_input_channels() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.ReLU(), nn.ConvTranspose2d(4, 2, 2))
    for target, operand in (("weight", "weight"), ("activation", "input")):
        context = context_of(net, torch.randn(6, 3, 8, 8), 4, 4)
        model = run_method("ocs", context, **search(target=target, expand_ratio=.2))
        assert [len(context.notes["split_channels"][f"{layer}.{operand}"]) for layer in (2, 4)] == [2, 1]
        operations = {operation.path: operation for operation in trace(model, lambda m: m(torch.randn(1, 3, 8, 8)))}
        assert (operations["2"].expansion, operations["4"].expansion) == (10 / 8, 5 / 4)
        assert operations["2"].inner == 10 * 9
        model.restore()


def test_grouped_convolutions_and_the_first_layer_are_not_split() -> None:
    context = context_of(conv_net(), torch.randn(6, 3, 8, 8), 4, 4)
    run_method("ocs", context, stem_bits=4, **search(expand_ratio=.2))
    assert set(context.notes["split_channels"]) == {"4.weight"}
    assert type(context.model.quantizer("0.weight")) is type(context.model.quantizer("2.weight")) is Uniform


def test_bits_of_first_layer_classifier_and_attention() -> None:
    model = run_method("ocs", case("transformer", weights=3, activations=5), stem_bits=8, head_bits=6, attention_bits=7,
                       **search(expand_ratio=0))
    bits = {path: quantizer.mean_bits for path, quantizer in model.quantizers.items()}
    assert bits["patch_embed.proj.weight"] == bits["patch_embed.proj.input"] == 8
    assert bits["head.weight"] == bits["head.input"] == 6
    assert bits["blocks.0.attn.query"] == bits["blocks.1.attn.attention"] == 7
    assert (bits["blocks.0.mlp.fc1.weight"], bits["blocks.0.mlp.fc1.input"]) == (3, 5)


def test_a_quantizer_with_a_zero_point_or_many_steps_is_refused() -> None:
    for weights in ({"name": "uniform", "options": {"scheme": "asymmetric"}},
                    {"name": "uniform", "options": {"scheme": "symmetric", "granularity": "channel"}},
                    {"name": "learned", "options": {"offset": True}}):
        with pytest.raises(QuantizationError, match=r"ocs cannot set the quantizer at '2.weight'"):
            run_method("ocs", context_of(linear_net(), torch.randn(9, 6), 4, 4), weights=weights)


def test_nan_in_the_calibration_set_is_refused() -> None:
    with pytest.raises(QuantizationError, match="NaN"):
        run_method("ocs", context_of(linear_net(), torch.full((4, 6), torch.nan), 4, 4))


def test_it_can_be_the_search_of_another_method() -> None:
    model = run_method("minmax", case("transformer"), weights=Choice(name="uniform", options={"scheme": "symmetric"}),
                       activations=Choice(name="uniform", options={"scheme": "unsigned"}), search="ocs")
    assert isinstance(model.quantizer("blocks.0.mlp.fc1.weight"), SplitChannels)


def qat(budget: str = "steps=3", **options: Any) -> Context:
    """``ocs_qat`` on the tiny transformer, placed, calibrated and trained."""
    method = registry().create(registry().methods, Choice(name="ocs_qat", options=options))
    context = toy_context(Bits(4, 4), budget=budget, method=method)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        method.allocate(context)
        method.place(context)
        method.calibrate(context)
        context.notes["before"] = {name: value.clone() for name, value in context.model.state_dict().items()}
        method.train(context)
    return context


@pytest.mark.parametrize("target", ["weight", "activation"])
def test_training_moves_weights_and_learned_steps_but_no_table(target: str) -> None:
    context = qat(**search(target=target, expand_ratio=.1))
    before, after = context.notes["before"], context.model.state_dict()
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert "model.blocks.0.fc1.weight" in changed
    split = {path for path, each in context.model.quantizers.items() if isinstance(each, SplitChannels)}
    assert split
    assert all(context.model.sites[path].operand == {"weight": "weight", "activation": "input"}[target]
               for path in split)
    for name in after:
        if "quantizers" in name:
            learned = name.endswith(".scale") and ".weight." not in name
            assert (name in changed) == learned, name
    assert context.notes["training"][0]["steps"] == 3


def test_training_lowers_the_loss() -> None:
    loss = qat("steps=40", training={"learning_rate": 5e-3, "batch_size": 16}).notes["training"][0]["loss"]
    assert sum(loss[-5:]) < .8 * sum(loss[:5])


def test_the_schedule_is_quantformers_first_stage() -> None:
    options = OcsQatOptions()
    training = options.training
    assert (training.epochs, training.batch_size, training.optimizer, training.weight_decay) == (120, 256, "adamw", .05)
    assert (training.learning_rate, training.final_learning_rate) == (1e-4, 1e-6)
    assert (training.schedule, training.warmup) == ("cosine", 0)
    assert (options.stem_bits, options.head_bits, options.attention_bits) == (8, 8, 8)
    assert registry().methods["ocs_qat"].trains
    assert not registry().methods["ocs"].trains


def test_placement_of_the_training_method() -> None:
    method = registry().create(registry().methods, Choice(name="ocs_qat"))
    context = context_of(transformer(), torch.randn(10, 3, 8, 8), 2, 2)
    method.place(context)
    method.calibrate(context)
    model = context.model
    assert isinstance(model.quantizer("blocks.0.mlp.fc1.weight"), SplitChannels)
    assert type(model.quantizer("patch_embed.proj.weight")) is Uniform
    assert type(model.quantizer("blocks.0.mlp.fc1.input")) is LearnedUniform
    assert model.quantizer("blocks.0.attn.query").mean_bits == model.quantizer("patch_embed.proj.weight").mean_bits == 8
    assert model.quantizer("head.weight").mean_bits == 8


@pytest.mark.parametrize("name", ["ocs", "ocs_qat"])
def test_every_ablation_does_something(name: str) -> None:
    """On layers of 100 inputs, where 1 %, 2 % and 5 % are different numbers of channels."""
    def described(**options: Any) -> dict[str, Any]:
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(6, 100), nn.GELU(), nn.Linear(100, 5))
        context = context_of(net, torch.randn(20, 6), 4, 4)
        run_method(name, context, head_bits=None, **options)
        return {path: value for path, value in context.model.state_dict().items() if "quantizers" in path} | {
            "oracle": isinstance(context.model.quantizer("2.input"), SplitLargest)}

    plain = described()
    for label, options in registry().methods[name].ablations.items():
        changed = described(**options)
        assert plain.keys() != changed.keys() or any(
            not torch.equal(torch.as_tensor(plain[path]), torch.as_tensor(changed[path])) for path in plain), label


def test_a_training_starts_from_clipped_ranges() -> None:
    options = registry().options(registry().searches, OcsQatOptions().search)
    assert (options.weight_clip, options.activation_clip, options.attention_clip) == ("mse", "mse", None)
