"""RoIAlign in plain torch against its definition, torchvision's, and mmcv's compiled kernel where there is one."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import torch
from roi_align_reference import slow_roi_align
from torch import Tensor
from torchvision.ops.roi_align import _roi_align as torchvision_roi_align

from harness import HarnessError
from harness_tasks.detection import roi_sampling
from harness_tasks.detection.mmcv_compat import EXTENSION, PlainOperators, ensure_mmcv
from harness_tasks.detection.roi_align import AVERAGE, MAX, roi_align_backward, roi_align_forward
from harness_tasks.detection.roi_sampling import outer

ensure_mmcv()
from mmcv.ops import roi_align  # noqa: E402

compiled = import_module(EXTENSION)
SIZE = (3, 2)
MODES = {"avg": AVERAGE, "max": MAX}


def boxes(count: int, height: int = 9, width: int = 12, pictures: int = 2, scale: float = 0.25) -> Tensor:
    """(K, 5) boxes of all sizes, up to larger than the picture, some of them partly or wholly outside of it."""
    side = torch.tensor([width, height], dtype=torch.float64) / scale
    low = (torch.rand(count, 2, dtype=torch.float64) * 1.8 - 0.5) * side
    extent = torch.rand(count, 2, dtype=torch.float64) ** 2 * 1.5 * side
    picture = torch.randint(0, pictures, (count, 1)).double()
    return torch.cat([picture, low, low + extent], 1)


def both_ways(operators: Any, features: Tensor, rois: Tensor, gradient: Tensor, size: tuple[int, int] = SIZE,
              sampling_ratio: int = 0, mode: str = "avg", aligned: bool = True) -> tuple[Tensor, ...]:
    """Output, the two argmax tensors and the gradient of an extension's operators, called as mmcv calls them."""
    forward, backward = operators
    output = features.new_full((len(rois), features.shape[1], *size), 7.0)
    argmax = torch.zeros((2, *output.shape) if mode == "max" else (2, 0), dtype=features.dtype)
    arguments = {"aligned_height": size[0], "aligned_width": size[1], "spatial_scale": 0.25,
                 "sampling_ratio": sampling_ratio, "pool_mode": MODES[mode], "aligned": aligned}
    forward(features, rois, output, *argmax, **arguments)
    grad_input = torch.zeros_like(features)
    backward(gradient, rois, *argmax, grad_input, **arguments)
    return output, *argmax, grad_input


def average(features: Tensor, rois: Tensor, aligned: bool = True) -> Tensor:
    output, unused = features.new_empty(len(rois), features.shape[1], *SIZE), features.new_empty(0)
    roi_align_forward(features, rois, output, unused, unused, *SIZE, 0.25, 0, AVERAGE, aligned)
    return output


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("sampling_ratio", [0, 1, 2, 3])
def test_both_directions_are_the_definition(sampling_ratio: int, mode: str, aligned: bool) -> None:
    features = torch.randn(2, 3, 9, 12, dtype=torch.float64, requires_grad=True)
    rois, gradient = boxes(30), torch.randn(30, 3, *SIZE, dtype=torch.float64)
    slow = slow_roi_align(features, rois, SIZE, 0.25, sampling_ratio, mode, aligned)
    slow.backward(gradient)
    output, *_, grad_input = both_ways((roi_align_forward, roi_align_backward), features.detach(), rois, gradient,
                                       sampling_ratio=sampling_ratio, mode=mode, aligned=aligned)
    torch.testing.assert_close(output, slow.detach(), rtol=0, atol=1e-12)
    torch.testing.assert_close(grad_input, features.grad, rtol=0, atol=1e-12)


@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (2, 2)])
def test_maps_of_a_row_or_a_column(shape: tuple[int, int], mode: str) -> None:
    features = torch.randn(2, 2, *shape, dtype=torch.float64, requires_grad=True)
    rois, gradient = boxes(20, *shape), torch.randn(20, 2, *SIZE, dtype=torch.float64)
    slow = slow_roi_align(features, rois, SIZE, 0.25, pool_mode=mode)
    slow.backward(gradient)
    output, *_, grad_input = both_ways((roi_align_forward, roi_align_backward), features.detach(), rois, gradient,
                                       mode=mode)
    torch.testing.assert_close(output, slow.detach(), rtol=0, atol=1e-12)
    torch.testing.assert_close(grad_input, features.grad, rtol=0, atol=1e-12)


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("sampling_ratio", [-1, 2])
def test_agrees_with_torchvision_inside_the_picture(sampling_ratio: int, aligned: bool) -> None:
    # Outside of it torchvision's Python form extrapolates, which its own kernels do not.
    features, rois = torch.randn(2, 4, 16, 20), boxes(30, 16, 20).float()
    rois[:, 1::2], rois[:, 2::2] = rois[:, 1::2].clamp(4, 70), rois[:, 2::2].clamp(4, 54)
    # Unwrapped: without torch.compile.
    reference = torchvision_roi_align.__wrapped__(features, rois, 0.25, 7, 7, sampling_ratio, aligned)
    own, empty = features.new_empty(30, 4, 7, 7), features.new_empty(0)
    roi_align_forward(features, rois, own, empty, empty, 7, 7, 0.25, sampling_ratio, AVERAGE, aligned)
    torch.testing.assert_close(own, reference, rtol=0, atol=1e-5)


@pytest.mark.skipif(isinstance(compiled, PlainOperators), reason="no compiled mmcv in this environment")
@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("sampling_ratio", [0, 2])
def test_agrees_with_the_compiled_kernel(sampling_ratio: int, mode: str) -> None:
    features, rois, gradient = torch.randn(2, 8, 40, 60), boxes(200, 40, 60).float(), torch.randn(200, 8, 7, 7)
    rois[:, 3:] += 0.1  # its maximum over the samples of a box without extent is -10000
    arguments: Any = (features, rois, gradient, (7, 7), sampling_ratio, mode)
    theirs = both_ways((compiled.roi_align_forward, compiled.roi_align_backward), *arguments)
    ours = both_ways((roi_align_forward, roi_align_backward), *arguments)
    for own, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, other, rtol=0, atol=1e-4)


@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("sampling_ratio", [0, 2])
def test_gradcheck_through_mmcv(sampling_ratio: int, mode: str) -> None:
    features, rois = torch.randn(2, 2, 4, 5, dtype=torch.float64, requires_grad=True), boxes(6, 4, 5)
    torch.autograd.gradcheck(lambda map_: roi_align(map_, rois, SIZE, 0.25, sampling_ratio, mode, True), (features,))


@pytest.mark.parametrize("mode", ["avg", "max"])
def test_memory_is_bounded_without_a_change_of_the_result(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    features, rois, gradient = torch.randn(2, 4, 20, 30), boxes(120, 20, 30).float(), torch.randn(120, 4, *SIZE)
    rois[:60, 3:] = rois[:60, 1:3] + 30  # of one size: computed together
    arguments: Any = ((roi_align_forward, roi_align_backward), features, rois, gradient)
    whole = both_ways(*arguments, mode=mode)
    tables = []

    def watched(y: tuple[Tensor, Tensor], x: tuple[Tensor, Tensor], width: int) -> tuple[Tensor, Tensor]:
        table = outer(y, x, width)
        tables.append((len(y[0]), table[0].numel()))
        return table

    monkeypatch.setattr(roi_sampling, "CHUNK", 1000)
    for module in ("roi_align", "roi_max_pool"):
        monkeypatch.setattr(f"harness_tasks.detection.{module}.outer", watched)
    for own, reference in zip(both_ways(*arguments, mode=mode), whole, strict=True):
        torch.testing.assert_close(own, reference)
    assert max(taken for taken, _ in tables) > 1
    assert all(entries <= 1000 for taken, entries in tables if taken > 1)


@pytest.mark.parametrize("mode", ["avg", "max"])
def test_no_boxes(mode: str) -> None:
    features = torch.randn(1, 3, 4, 4, requires_grad=True)
    pooled = roi_align(features, torch.zeros(0, 5), SIZE, 1.0, 0, mode, True)
    assert pooled.shape == (0, 3, *SIZE)
    pooled.sum().backward()
    assert torch.equal(features.grad, torch.zeros_like(features))


@pytest.mark.parametrize("mode", ["avg", "max"])
def test_boxes_without_extent_or_outside_give_zeros_and_no_gradient(mode: str) -> None:
    features = torch.randn(1, 3, 4, 4) + 5
    rois = torch.tensor([[0, 8.0, 8, 8, 8], [0, 100, 100, 140, 140], [0, -90, 0, -50, 16]])
    output, *argmax, gradient = both_ways((roi_align_forward, roi_align_backward), features, rois,
                                          torch.ones(3, 3, *SIZE), mode=mode)
    assert torch.equal(output, torch.zeros_like(output))
    assert torch.equal(gradient, torch.zeros_like(gradient))
    if mode == "max":
        assert (torch.stack(argmax)[:, 0] == -1).all()


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("corner", [float("nan"), float("inf")])
def test_a_box_that_is_not_finite_is_an_error(corner: float, aligned: bool) -> None:
    with pytest.raises(HarnessError, match="reversed or not finite"):
        average(torch.randn(1, 1, 4, 4), torch.tensor([[0, 1, 1, corner, 3]]), aligned)


def test_a_reversed_box_is_an_error_unless_boxes_are_widened() -> None:
    features, rois = torch.randn(1, 1, 4, 4, dtype=torch.float64), torch.tensor([[0, 12.0, 4, 4, 12]])
    with pytest.raises(HarnessError, match="reversed or not finite"):
        average(features, rois, aligned=True)
    torch.testing.assert_close(average(features, rois.double(), aligned=False),
                               slow_roi_align(features, rois, SIZE, 0.25, aligned=False))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype: torch.dtype) -> None:
    features, rois = torch.rand(1, 8, 20, 30).to(dtype), boxes(20, 20, 30, pictures=1)
    reference = slow_roi_align(features.double(), rois, SIZE, 0.25)
    torch.testing.assert_close(average(features, rois.float()).double(), reference, rtol=0, atol=0.02)


def test_channels_last_features() -> None:
    features, rois = torch.randn(2, 8, 9, 12), boxes(20).float()
    last = features.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(average(last, rois), average(features, rois), rtol=0, atol=0)
