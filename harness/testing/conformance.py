"""What every method promises, as tests; subclass :class:`MethodConformance` in your package's tests."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..method import Context
from ..model.site import Site
from ..options import resolve
from ..quantizers.base import Identity, Quantizer
from ..registry import registry
from ..request import Bits
from .tiny_vit import tiny_vit
from .toy import Noise, divergence, toy_context

_DESCRIPTION: dict[str, type | tuple[type, ...]] = {
    "quantizer": str, "bits": (int, list), "granularity": str, "groups": int, "dynamic": bool}
#: Said only where it is more than 1.
_EXPANSION = "expansion"


class MethodConformance:
    """Checks one method on a tiny transformer, in seconds and without data.

    ``method`` is its registered name, ``options`` what ``--set`` would give it, ``low`` and ``high`` the two
    bit-widths that are compared.
    """

    method: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    low: ClassVar[Bits] = Bits(4, 4)
    high: ClassVar[Bits] = Bits(8, 8)
    _ready: ClassVar[dict[Bits, Context]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._ready = {}

    def quantized(self, bits: Bits) -> Context:
        """The context after ``place`` and ``calibrate``; made once for each bit-width."""
        if bits not in self._ready:
            self._ready[bits] = self.run(bits)
        return self._ready[bits]

    def run(self, bits: Bits, seed: int = 0) -> Context:
        """A fresh context after ``place`` and ``calibrate``, with the model in evaluation mode."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            context = toy_context(bits, seed)
            spec = registry().methods[self.method]
            method = registry().component(spec)(resolve(spec.options, self.options, f"method {self.method}"))
            method.place(context)
            method.calibrate(context)
        context.model.eval()
        return context

    def test_it_quantizes_weights_and_activations(self) -> None:
        context = self.quantized(self.low)
        sites = context.model.sites
        placed = {path for path, quantizer in context.model.quantizers.items() if not isinstance(quantizer, Identity)}
        assert any(sites[path].is_weight for path in placed), "no weight is quantized"
        assert any(not sites[path].is_weight for path in placed), "no activation is quantized"

    def test_outputs_are_finite_and_have_changed(self) -> None:
        context = self.quantized(self.low)
        outputs = _outputs(context)
        assert bool(torch.isfinite(outputs).all())
        assert not torch.equal(outputs, _reference())

    def test_weights_take_at_most_two_to_the_bits_values_a_slot(self) -> None:
        context = self.quantized(self.low)
        for path, quantizer in context.model.quantizers.items():
            if context.model.sites[path].is_weight and not isinstance(quantizer, Identity):
                with torch.no_grad():
                    quantized = quantizer(context.model.operation(context.model.sites[path].operation).weight)
                _check_levels(context.model.sites[path], quantizer, quantized)

    def test_static_quantizers_are_idempotent(self) -> None:
        context = self.quantized(self.low)
        for path, tensor in _seen(context).items():
            quantizer = context.model.quantizer(path)
            if not quantizer.describe()["dynamic"]:
                with torch.no_grad():
                    once = quantizer(tensor)
                    twice = quantizer(once)
                assert torch.allclose(twice, once, rtol=1e-5, atol=1e-6), f"{path} is not idempotent"
                assert once.shape == tensor.shape, path

    def test_the_same_seed_gives_the_same_model(self) -> None:
        assert torch.equal(_outputs(self.run(self.low)), _outputs(self.quantized(self.low)))

    def test_more_bits_are_not_much_worse(self) -> None:
        low, high = (divergence(_reference(), _outputs(self.quantized(bits))).item() for bits in (self.low, self.high))
        assert high <= 1.1 * low + 1e-6, f"{self.high} diverges by {high:.3g}, {self.low} by {low:.3g}"

    def test_descriptions_are_well_formed(self) -> None:
        context = self.quantized(self.low)
        for path, quantizer in context.model.quantizers.items():
            described = quantizer.describe()
            assert described.keys() - {_EXPANSION} == _DESCRIPTION.keys(), path
            assert described.get(_EXPANSION, 2.0) > 1, path
            for key, kind in _DESCRIPTION.items():
                assert isinstance(described[key], kind), f"{path}: {key} is {described[key]!r}"
            each = described["bits"] if isinstance(described["bits"], list) else [described["bits"]]
            assert all(1 <= bits <= 32 for bits in each), f"{path}: bits {each}"
            assert isinstance(quantizer, Identity) or described["groups"] >= 1, path


@torch.no_grad()
def _outputs(context: Context) -> Tensor:
    batch = next(Noise(32, first=100).batches(range(32), 32))
    return context.model(batch.inputs)


@torch.no_grad()
def _reference() -> Tensor:
    return tiny_vit()(next(Noise(32, first=100).batches(range(32), 32)).inputs)


def _seen(context: Context) -> dict[str, Tensor]:
    """The tensor that reached each quantized site in one forward."""
    seen: dict[str, Tensor] = {}

    def keep(path: str, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen[path] = inputs[0].detach().clone()

    handles = [quantizer.register_forward_pre_hook(partial(keep, path))
               for path, quantizer in context.model.quantizers.items() if not isinstance(quantizer, Identity)]
    _outputs(context)
    for handle in handles:
        handle.remove()
    return seen


def _check_levels(site: Site, quantizer: Quantizer, quantized: Tensor) -> None:
    described, path = quantizer.describe(), site.path
    each = described["bits"] if isinstance(described["bits"], list) else [described["bits"]] * described["groups"]
    channel, channels = _input_channels(site, quantized)
    added = round((described.get(_EXPANSION, 1.0) - 1) * channels)
    partition = getattr(quantizer, "partition", None)
    if partition is not None and partition.slots == len(each):
        slots = torch.zeros(quantized.shape, dtype=torch.int64) + partition.index
        for slot, bits in enumerate(each):
            inside = slots == slot
            _check_slot(f"{path}: slot {slot}", quantized[inside], channel[inside], [bits], added)
    else:
        _check_slot(path, quantized.flatten(), channel.flatten(), each, added)


def _check_slot(name: str, values: Tensor, channel: Tensor, bits: list[int], added: int) -> None:
    """With ``added`` input channels, one of them stands for at most ``c = added + 1`` real ones.

    A sum of c integers of b bits takes at most c (2^b - 1) + 1 values; and what more than ``added`` channels take is
    taken by one that is not a sum.
    """
    takers = _takers(values, channel)
    most = sum((added + 1) * (2**b - 1) + 1 for b in bits)
    assert len(takers) <= most, f"{name} takes {len(takers)} values"
    plain = int((takers > added).sum())
    assert plain <= sum(2**b for b in bits), f"{name} takes {plain} values in channels that are not sums"


def _takers(values: Tensor, channel: Tensor) -> Tensor:
    """For each value how many channels take it; values that differ by rounding in floating-point sums are one."""
    ordered, place = values.unique(return_inverse=True)
    if not len(ordered):
        return place
    apart = torch.diff(ordered) > 1e-5 * ordered.abs().max()
    level = torch.cat((torch.zeros(1, dtype=torch.int64), apart.cumsum(0)))[place]
    channels = int(channel.max()) + 1
    return torch.bincount((level * channels + channel).unique() // channels)


def _input_channels(site: Site, weight: Tensor) -> tuple[Tensor, int]:
    """The input channel of every element of a weight, and how many there are; one for all where it has none."""
    if "in" not in site.layout.axes:
        return torch.zeros(weight.shape, dtype=torch.int64), 1
    axis = site.layout.axes.index("in")
    shape = [-1 if each == axis else 1 for each in range(weight.dim())]
    return torch.arange(weight.shape[axis]).reshape(shape).expand(weight.shape), weight.shape[axis]
