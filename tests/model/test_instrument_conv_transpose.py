"""The twin of transposed convolutions: its layout, its subclasses, its costs."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from harness import InstrumentedModel, Operation, Uniform, instrument, trace
from harness.model.unseen import unseen_products


class Doubled(nn.ConvTranspose2d):
    """A subclass with a forward of its own."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        return 2 * super().forward(input, output_size)


def instrumented(conv: nn.Module) -> InstrumentedModel:
    return instrument(nn.Sequential(conv), {})


@pytest.mark.parametrize("conv", [nn.ConvTranspose2d(4, 6, 3, stride=2), Doubled(4, 6, 3, stride=2)])
def test_the_weight_is_quantized_per_output_channel(conv: nn.ConvTranspose2d) -> None:
    torch.manual_seed(0)
    inputs, expected = torch.randn(2, 4, 5, 5), conv.weight.detach().clone()
    model = instrumented(conv)
    layout = model.sites["0.weight"].layout
    assert layout.axes == ("in", "out", "height", "width")
    assert (layout.sizes, layout.channels) == ((4, 6, 3, 3), 6)
    assert model.sites["0.input"].layout.channels == 4
    assert {site.role for site in model.sites.values()} == {"conv"}
    quantizer = Uniform(layout.partition("channel"), 4, "symmetric")
    quantizer.set_range(-expected.abs().amax((0, 2, 3)), expected.abs().amax((0, 2, 3)))
    model.place("0.weight", quantizer)
    for channel in range(6):
        step = expected[:, channel].abs().max() / 7
        expected[:, channel] = (expected[:, channel] / step).round() * step
    with torch.no_grad():
        plain = nn.functional.conv_transpose2d(inputs, expected, conv.bias, stride=2)
    torch.testing.assert_close(model(inputs), plain * (2 if isinstance(conv, Doubled) else 1))


def test_it_can_be_asked_for_a_size() -> None:
    conv = nn.ConvTranspose2d(2, 2, 3, stride=2, padding=1)
    inputs = torch.randn(1, 2, 5, 5)
    expected = conv(inputs, output_size=[10, 10])
    model = instrumented(conv)
    assert torch.equal(model.operation("0")(inputs, [10, 10]), expected)
    assert unseen_products(model, lambda m: m(inputs)) == []


def traced(conv: nn.Module, *shape: int, samples: int = 1, groups: str = "") -> Operation:
    model = instrumented(conv)
    if groups:
        place, granularity = groups.split("=")
        model.place(place, Uniform(model.sites[place].layout.partition(granularity), 4))
    [operation] = trace(model, lambda m: m(torch.zeros(shape)), samples)
    return operation


CONVS: list[dict[str, Any]] = [
    {"stride": 2}, {"kernel_size": 2, "stride": 2}, {"stride": (1, 2), "dilation": (2, 2)}, {"groups": 2, "stride": 3}]


@pytest.mark.parametrize("arguments", CONVS)
def test_macs_against_a_loop_and_torchs_counter(arguments: dict[str, Any]) -> None:
    conv = nn.ConvTranspose2d(4, 6, **{"kernel_size": 3, **arguments})
    counted, sums = 0, torch.zeros(conv(torch.zeros(1, 4, 5, 4)).shape[1:], dtype=torch.int64)
    taps, groups = [range(size) for size in conv.kernel_size], conv.groups
    for channel, row, column, out, down, right in product(range(4), range(5), range(4), range(6), *taps):
        if channel // (4 // groups) == out // (6 // groups):
            counted += 1
            sums[out, row * conv.stride[0] + down * conv.dilation[0], column * conv.stride[1]
                 + right * conv.dilation[1]] += 1
    operation = traced(conv, 3, 4, 5, 4, samples=3)
    assert (operation.kind, operation.macs, operation.inner) == ("conv_transpose", counted, int(sums.max()))
    assert operation.rows == sums[0].numel()
    assert operation.outputs == sums.numel()
    assert [operand.elements for operand in operation.operands] == [conv.weight.numel(), 4 * 5 * 4]
    if groups == 1:  # torch's counter takes groups for none
        with FlopCounterMode(display=False) as counter:
            conv(torch.zeros(1, 4, 5, 4))
        assert counter.get_total_flops() == 2 * counted


@pytest.mark.parametrize(("groups", "summed"), [("0.weight=channel", 1), ("0.input=channel", 4)])
def test_groups_meet_in_one_sum_along_the_input_channels_only(groups: str, summed: int) -> None:
    operation = traced(nn.ConvTranspose2d(4, 6, 2, stride=2), 1, 4, 3, 3, groups=groups)
    assert operation.operand(groups.split("=")[0][2:]).summed_groups == summed
