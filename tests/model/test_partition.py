"""Partitions against slow loops over every element, for every granularity and both weight layouts."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import HeadSplit, Layout, Partition, QuantizationError

HEADS, WIDTH = 2, 3
LINEAR = Layout(("out", "in"), (3 * HEADS * WIDTH, 4), -2, HeadSplit(-2, HEADS, 3))
PROJECTION = Layout(("out", "in"), (4, HEADS * WIDTH), -2, HeadSplit(-1, HEADS))
CONV = Layout(("out", "in", "height", "width"), (6, 2, 3, 3), -4)
PICTURE = Layout(("channel", "height", "width"), (6, None, None), -3)
QUERY = Layout(("head", "token", "dim"), (HEADS, None, WIDTH), -1, HeadSplit(-3, HEADS))
MAP = Layout(("head", "query", "key"), (HEADS, 5, None), -1, HeadSplit(-3, HEADS), row=-2)

#: layout, granularity, group, shape of a tensor, slot of the element at a position of the trailing axes.
CASES = {
    "tensor": (LINEAR, "tensor", 0, (18, 4), lambda o, i: 0),
    "linear channel": (LINEAR, "channel", 0, (18, 4), lambda o, i: o),
    "linear head": (LINEAR, "head", 0, (18, 4), lambda o, i: o // 3 % 2),
    "linear module": (LINEAR, "module", 0, (18, 4), lambda o, i: o // 6),
    "linear module_head": (LINEAR, "module_head", 0, (18, 4), lambda o, i: o // 3),
    "linear group": (LINEAR, "group", 4, (18, 4), lambda o, i: o // 4),
    "projection head": (PROJECTION, "head", 0, (4, 6), lambda o, i: i // 3),
    "projection module": (PROJECTION, "module", 0, (4, 6), lambda o, i: 0),
    "conv channel": (CONV, "channel", 0, (6, 2, 3, 3), lambda o, i, h, w: o),
    "conv group": (CONV, "group", 4, (6, 2, 3, 3), lambda o, i, h, w: o // 4),
    "conv head": (CONV, "head", 0, (6, 2, 3, 3), lambda o, i, h, w: 0),
    "picture channel": (PICTURE, "channel", 0, (2, 6, 4, 5), lambda c, h, w: c),
    "query head": (QUERY, "head", 0, (3, 2, 5, 3), lambda h, t, d: h),
    "query channel": (QUERY, "channel", 0, (3, 2, 5, 3), lambda h, t, d: d),
    "query group": (QUERY, "group", 2, (3, 2, 5, 3), lambda h, t, d: d // 2),
    "map row": (MAP, "row", 0, (3, 2, 5, 7), lambda h, q, k: q),
    "map head": (MAP, "head", 0, (3, 2, 5, 7), lambda h, q, k: h),
}
FOLDS = {"amin": min, "amax": max, "sum": sum, "mean": lambda values: sum(values) / len(values)}


def _elements(layout: Layout, shape, slot_of):
    """Every index of a tensor of that shape, with its slot."""
    trailing = len(layout.axes)
    for index in itertools.product(*map(range, shape)):
        yield index, slot_of(*index[-trailing:])


@pytest.mark.parametrize("case", CASES)
def test_spread_gives_every_element_its_slot(case: str) -> None:
    layout, granularity, group, shape, slot_of = CASES[case]
    partition = layout.partition(granularity, group)
    slots = torch.arange(partition.slots, dtype=torch.float32)
    spread = (torch.zeros(shape) + partition.spread(slots)).tolist()
    for index, slot in _elements(layout, shape, slot_of):
        value = spread
        for position in index:
            value = value[position]
        assert value == slot, index
    assert {slot for _, slot in _elements(layout, shape, slot_of)} == set(range(partition.slots))


@pytest.mark.parametrize("how", FOLDS)
@pytest.mark.parametrize("case", CASES)
def test_reduce_folds_each_slot(case: str, how: str) -> None:
    layout, granularity, group, shape, slot_of = CASES[case]
    partition = layout.partition(granularity, group)
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    members: dict[int, list[float]] = {}
    for index, slot in _elements(layout, shape, slot_of):
        members.setdefault(slot, []).append(values[index].item())
    expected = torch.tensor([FOLDS[how](members[slot]) for slot in range(partition.slots)], dtype=torch.float64)
    torch.testing.assert_close(partition.reduce(values, how), expected)


@pytest.mark.parametrize("case", [case for case in CASES if "group" not in case])
def test_gather_gives_one_row_a_slot(case: str) -> None:
    layout, granularity, group, shape, slot_of = CASES[case]
    partition = layout.partition(granularity, group)
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    members: dict[int, list[float]] = {}
    for index, slot in _elements(layout, shape, slot_of):
        members.setdefault(slot, []).append(values[index].item())
    gathered = partition.gather(values)
    assert gathered.shape == (partition.slots, values.numel() // partition.slots)
    for slot, row in enumerate(gathered.tolist()):
        assert sorted(row) == sorted(members[slot])


@settings(max_examples=60, deadline=None)
@given(data=st.data(), size=st.integers(1, 9), behind=st.lists(st.integers(1, 3), max_size=2),
       ahead=st.lists(st.integers(1, 3), max_size=2), how=st.sampled_from(sorted(FOLDS)))
def test_any_index_along_any_axis(data, size, behind, ahead, how) -> None:
    """Slots in any order and of any size (what grouping learned by a method looks like)."""
    slots = data.draw(st.integers(1, size))
    spare = data.draw(st.lists(st.integers(0, slots - 1), min_size=size - slots, max_size=size - slots))
    index = torch.tensor(data.draw(st.permutations([*range(slots), *spare])))
    partition = Partition.along(index, -1 - len(behind), "learned")
    values = torch.randn(*ahead, size, *behind, dtype=torch.float64)
    moved = values.movedim(len(ahead), 0)
    expected = torch.tensor([FOLDS[how](moved[index == slot].reshape(-1).tolist()) for slot in range(slots)],
                            dtype=torch.float64)
    torch.testing.assert_close(partition.reduce(values, how), expected)
    spread = torch.zeros_like(values) + partition.spread(torch.arange(float(slots), dtype=torch.float64))
    assert torch.equal(spread.movedim(len(ahead), 0).reshape(size, -1)[:, 0].long(), index)


def test_gather_of_slots_with_unequal_sizes_is_an_error() -> None:
    partition = Partition.along(torch.tensor([0, 0, 1]), -1, "learned")
    with pytest.raises(QuantizationError, match="unequal"):
        partition.gather(torch.randn(4, 3))


def test_axis_counts_from_the_end() -> None:
    with pytest.raises(ValueError, match="from the end"):
        Partition.along(torch.arange(3), 0, "channel")


@pytest.mark.parametrize(("layout", "granularity", "group", "message"), [
    (LINEAR, "row", 0, "does not fit"), (LINEAR, "group", 0, "does not fit"), (LINEAR, "chanel", 0, "does not fit"),
    (MAP, "channel", 0, "'key' has no fixed size")])
def test_granularities_that_do_not_fit(layout: Layout, granularity: str, group: int, message: str) -> None:
    with pytest.raises(QuantizationError, match=message):
        layout.partition(granularity, group)


def test_layout_knows_channels_and_heads() -> None:
    assert (LINEAR.channels, LINEAR.heads) == (18, 2)
    assert (PICTURE.channels, PICTURE.heads) == (6, 1)
    assert MAP.channels is None
