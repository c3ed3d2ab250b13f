"""What every quantizer promises; subclass :class:`QuantizerConformance` in your package's tests."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..engine.writes import confined
from ..errors import HarnessError
from ..model.site import Site
from ..observers.learned_scale import Initialisable, initialise
from ..options import Choice
from ..quantizers.base import Quantizer
from ..quantizers.learned import LearnedUniform
from ..registry import registry
from .component import ComponentLaws
from .conformance import other_devices
from .estimators import check_estimator, check_parameters
from .law import law, require
from .levels import check_description, check_levels
from .sites import sites, smaller
from .state import scramble, through_safetensors
from .surroundings import Surroundings

Ready = tuple[str, Quantizer, Tensor]


class QuantizerConformance(ComponentLaws):
    """Checks one quantizer on weights and activations of a tiny transformer, in a second.

    ``quantizer`` is its registered name, ``options`` what a method would give it. Sites and bits that it refuses with a
    :class:`harness.HarnessError` are left out; ``few`` and ``many`` bits are what most laws are tried at.
    """

    kind = "quantizer"
    quantizer: ClassVar[str]
    few: ClassVar[int] = 4
    many: ClassVar[int] = 8

    def prepare(self, quantizer: Quantizer, tensor: Tensor) -> None:
        """Set what a search would set. Override it for a quantizer without ``initialise`` or ``set_range``."""
        if isinstance(quantizer, Initialisable | LearnedUniform):
            initialise(quantizer, tensor, "minmax")
        elif hasattr(quantizer, "set_range"):
            ranged: Any = quantizer
            ranged.set_range(ranged.partition.reduce(tensor, "amin"), ranged.partition.reduce(tensor, "amax"))

    def build(self, site: Site, bits: int) -> Quantizer:
        """A new quantizer for a site."""
        choice = Choice(name=self.name, options=self.tried)
        return registry().create(registry().quantizers, choice, site, bits)

    def accepted(self, site: Site) -> list[int]:
        """The bits, of 1 to 8, that it does not refuse for a site."""
        found = []
        for bits in range(1, 9):
            try:
                self.build(site, bits)
            except HarnessError:
                continue
            found.append(bits)
        return found

    def each(self, bits: int | None = None, change: Callable[[Tensor], Tensor] = lambda tensor: tensor
             ) -> Iterator[Ready]:
        """A prepared quantizer for every site that it takes, with the site's tensor, ``change``d before."""
        for path, (site, tensor) in sites().items():
            if accepted := self.accepted(site):
                given = change(tensor)
                nearest = min(accepted, key=lambda width: abs(width - (bits or self.few)))
                quantizer = self.build(site, nearest)
                self.prepare(quantizer, given.clone())
                yield path, quantizer, given.clone()

    @law("Raise harness.QuantizationError with a remedy for a site, or for bits, that it cannot do")
    def test_it_takes_some_site_and_refuses_others_in_words(self) -> None:
        """What is raised for the others is looked at by building it: an error of another type breaks this law."""
        require(any(True for _ in self.each()), "it refuses every site of a transformer")

    @law("Return a new tensor of the shape and type of the given one: torch.full_like(x, ...), .to(x.dtype)")
    def test_it_keeps_shape_and_type_and_its_input(self) -> None:
        for path, quantizer, tensor in self.each():
            for dtype in (torch.float32, torch.float64):
                subject, given = copy.deepcopy(quantizer).to(dtype), tensor.to(dtype)
                before = given.clone()
                with torch.no_grad():
                    quantized = subject(given)
                require(quantized.shape == given.shape, f"{path}: {tuple(given.shape)} became {tuple(quantized.shape)}")
                require(quantized.dtype == dtype, f"{path}: {dtype} became {quantized.dtype}")
                require(torch.equal(given, before), f"{path}: the given tensor was changed in place")
            with torch.no_grad():
                low = quantizer(tensor.bfloat16())
            require(bool(low.isfinite().all()), f"{path}: a tensor in bfloat16 gives NaN or infinity")

    @law("Round to a grid that does not depend on the input, or set idempotent = False on the class")
    def test_it_is_idempotent(self) -> None:
        for path, quantizer, tensor in self._static():
            if quantizer.idempotent:
                with torch.no_grad():
                    once = quantizer(tensor)
                    apart = float((quantizer(once) - once).abs().max())
                require(apart <= 1e-5 * float(once.abs().max()) + 1e-6, f"{path}: the second time moves by {apart:.3g}")

    @law("Clip to the 2^bits integers that describe() declares, or declare it dynamic")
    def test_it_takes_at_most_two_to_the_bits_values_a_slot(self) -> None:
        for path, quantizer, tensor in self._static():
            with torch.no_grad():
                check_levels(sites()[path][0], quantizer, quantizer(tensor))

    @law("Look at what depends on the number of bits: limits and scales")
    def test_more_bits_are_not_worse(self) -> None:
        for (path, few, tensor), (_, many, _) in zip(self.each(), self.each(self.many), strict=True):
            with torch.no_grad():
                errors = [float((subject(tensor) - tensor).square().mean()) for subject in (few, many)]
            require(errors[1] <= 1.1 * errors[0] + 1e-12, f"{path}: more bits have a squared error of {errors[1]:.3g}, "
                                                          f"fewer {errors[0]:.3g}")

    @law("Pass on the declared gradient (harness.round_ste, harness.fake_quantize), or set estimator on the class")
    def test_its_gradient_is_the_declared_one(self) -> None:
        for path, quantizer, tensor in self.each(self.many):
            check_estimator(path, quantizer, 1.5 * tensor)  # a part of it lies beyond what the range was set from

    @law("Let every parameter take part in quantize(), or give it no group in parameter_group()")
    def test_its_parameters_get_gradients(self) -> None:
        for path, quantizer, tensor in self.each():
            check_parameters(path, quantizer, tensor)

    @law("Draw no random number while building or quantizing; keep nothing of the last call")
    def test_it_is_deterministic(self) -> None:
        for (path, first, tensor), (_, second, _) in zip(self.each(), self.each(), strict=True):
            with torch.no_grad():
                once = first(tensor)
                first(2 * tensor)
                require(torch.equal(once, first(tensor)), f"{path}: the same tensor is quantized in two ways")
                require(torch.equal(once, second(tensor)), f"{path}: two quantizers made alike differ")

    @law("Keep what was set in parameters and buffers, not in plain attributes")
    def test_its_state_goes_through_a_safetensors_file(self) -> None:
        others = self.each(change=lambda tensor: 3 * tensor + 0.5)
        for (path, quantizer, tensor), (_, other, _) in zip(self.each(), others, strict=True):
            state = through_safetensors(quantizer)
            if any(value.shape != state[name].shape for name, value in other.state_dict().items() if name in state):
                other = copy.deepcopy(quantizer)
                scramble(other)
            other.load_state_dict(state)
            with torch.no_grad():
                require(torch.equal(other(tensor), quantizer(tensor)), f"{path}: with another's state it is another")

    @law("Take sizes from the tensor at hand")
    def test_it_takes_one_sample_and_odd_numbers_of_tokens(self) -> None:
        for path, quantizer, tensor in self.each():
            for part in (*smaller(sites()[path][0], tensor), tensor[:0]):
                with torch.no_grad():
                    quantized = quantizer(part)
                require(quantized.shape == part.shape, f"{path}: {tuple(part.shape)} became {tuple(quantized.shape)}")
                require(bool(quantized.isfinite().all()), f"{path}: {tuple(part.shape)} gives NaN or infinity")

    @law("Keep scales away from 0 (clamp(min=...), or 1 for an empty range)")
    def test_zeros_and_constants_give_numbers(self) -> None:
        for constant in (0.0, 1.0, -2.0):
            for path, quantizer, tensor in self.each(change=partial(torch.full_like, fill_value=constant)):
                with torch.no_grad():
                    require(bool(quantizer(tensor).isfinite().all()), f"{path}: a tensor of {constant:g} gives NaN")

    @law("Override quantize(), not forward(), which obeys enabled")
    def test_switched_off_it_is_the_identity(self) -> None:
        for path, quantizer, tensor in self.each():
            quantizer.enabled = False
            require(torch.equal(quantizer(tensor), tensor), f"{path}: switched off, it changes the tensor")

    @law("See harness.Quantizer.describe: records and costs are made from it")
    def test_its_description_is_well_formed(self) -> None:
        for path, quantizer, tensor in self.each():
            with torch.no_grad():
                quantizer(tensor)
            check_description(path, quantizer.describe(), True)

    @law("Make tensors on the device of the tensor at hand, and keep others in buffers")
    def test_it_gives_the_same_on_every_device(self) -> None:
        """Every device of this machine; where there is only a CPU, the hints say so."""
        for device in other_devices():
            for path, quantizer, tensor in self.each():
                with torch.no_grad():
                    here, there = quantizer(tensor), copy.deepcopy(quantizer).to(device)(tensor.to(device)).cpu()
                wrong = float((~torch.isclose(here, there, rtol=1e-4, atol=1e-5)).float().mean())
                require(wrong < 0.01, f"{path}: on {device} {100 * wrong:.1f}% of all values differ")

    @law("Restore what you set, draw no random number, and write no file")
    def test_nothing_global_is_changed(self) -> None:
        before = Surroundings()
        with confined(registry()):
            for _, quantizer, tensor in self.each():
                quantizer(tensor.requires_grad_())
        changes = before.changes()
        before.restore()
        require(not changes, "; ".join(changes[:5]))

    def hints(self) -> list[str]:
        """How its speed compares with the uniform quantizer's."""
        said = [] if other_devices() else ["tried on the CPU only: there is no GPU here"]
        uniform = type("Plain", (QuantizerConformance,), {"quantizer": "uniform"})()
        plain = {path: _seconds(quantizer, tensor) for path, quantizer, tensor in uniform.each()}
        ratios = [_seconds(quantizer, tensor) / plain[path] for path, quantizer, tensor in self.each()]
        return [*said, f"it takes {min(ratios):.1f} to {max(ratios):.1f} times as long as the uniform quantizer"]

    def _static(self) -> Iterator[Ready]:
        return ((path, quantizer, tensor) for path, quantizer, tensor in self.each()
                if not quantizer.describe()["dynamic"])


def _seconds(quantizer: Quantizer, tensor: Tensor) -> float:
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        with torch.no_grad():
            quantizer(tensor)
        best = min(best, time.process_time() - start)
    return best
