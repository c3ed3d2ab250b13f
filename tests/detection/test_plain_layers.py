"""mmcv's wrappers become the torch layers that they are."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from harness import input_rows, instrument
from harness_tasks.detection.mmcv_compat import ensure_mmcv
from harness_tasks.detection.plain_layers import plain_layers

ensure_mmcv()

from mmcv.cnn.bricks import wrappers  # noqa: E402


@pytest.mark.parametrize(("wrapper", "plain", "inputs"), [
    (wrappers.Linear(4, 3), nn.Linear, torch.randn(2, 5, 4)),
    (wrappers.Conv2d(4, 3, 3), nn.Conv2d, torch.randn(2, 4, 5, 5)),
    (wrappers.ConvTranspose2d(4, 3, 2, stride=2), nn.ConvTranspose2d, torch.randn(2, 4, 5, 5)),
], ids=["linear", "conv", "conv_transpose"])
def test_they_compute_the_same(wrapper: nn.Module, plain: type[nn.Module], inputs: Tensor) -> None:
    expected, own = wrapper(inputs), list(wrapper.parameters())
    model = plain_layers(nn.Sequential(wrapper))
    assert type(model[0]) is plain
    assert [id(parameter) for parameter in model.parameters()] == [id(parameter) for parameter in own]
    assert torch.equal(model(inputs), expected)
    assert len(model(inputs[:0])) == 0  # what the wrappers are for
    input_rows(instrument(model, {}).operation("0"), inputs)  # type: ignore[arg-type]


def test_nothing_else_is_touched() -> None:
    class Own(nn.Linear):
        pass

    pool, model = wrappers.MaxPool2d(2), nn.Sequential(Own(2, 2), wrappers.MaxPool2d(2), nn.ReLU())
    assert [type(module) for module in plain_layers(model)] == [Own, type(pool), nn.ReLU]
