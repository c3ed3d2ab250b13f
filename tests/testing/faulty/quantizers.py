"""A sound quantizer, and quantizers that are broken in one way each."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, nn

from harness import Options, Partition, QuantizationError, Quantizer, QuantizerSpec, Site, Uniform

from . import Fault, Kind, NoOptions
from .any_component import FAULTS


def sound(options: Options, site: Site, bits: int) -> Uniform:
    return Uniform(Partition.tensor(), bits)


class Uncouth(Uniform):
    def __init__(self, options: Options, site: Site, bits: int) -> None:
        if bits == 1:
            raise ZeroDivisionError("no step")
        super().__init__(Partition.tensor(), bits)


class Plain(Uniform):
    def __init__(self, options: Options, site: Site, bits: int) -> None:
        super().__init__(Partition.tensor(), bits)


def refuses_all(options: Options, site: Site, bits: int) -> Quantizer:
    raise QuantizationError("no site is good enough", "Use another quantizer")


class Flat(Plain):
    def quantize(self, tensor: Tensor) -> Tensor:
        return super().quantize(tensor).flatten(1)


class InPlace(Plain):
    def quantize(self, tensor: Tensor) -> Tensor:
        quantized = super().quantize(tensor.clone())
        if not tensor.requires_grad:
            tensor.mul_(0.5)
        return quantized


class OneType(Plain):
    def quantize(self, tensor: Tensor) -> Tensor:
        return super().quantize(tensor).float()


class OverflowsInBfloat(Plain):
    def quantize(self, tensor: Tensor) -> Tensor:
        return super().quantize(tensor) * (torch.nan if tensor.dtype == torch.bfloat16 else 1)


class Moods(Plain):
    """Each one is made otherwise."""

    made = itertools.count(1)

    def __init__(self, options: Options, site: Site, bits: int) -> None:
        super().__init__(options, site, bits)
        self.mood = next(self.made)

    def quantize(self, tensor: Tensor) -> Tensor:
        return super().quantize(tensor) * self.mood


class NanGradient(Plain):
    def quantize(self, tensor: Tensor) -> Tensor:
        return super().quantize(tensor) + (tensor - tensor.detach()).abs().sqrt().mean()


class NanForOneToken(Plain):
    def quantize(self, tensor: Tensor) -> Tensor:
        return super().quantize(tensor) * (torch.nan if tensor.shape[-2] == 1 else 1)


class Slow(Plain):
    def quantize(self, tensor: Tensor) -> Tensor:
        return torch.stack([super(Slow, self).quantize(tensor) for _ in range(50)])[0]


class Halves(Plain):
    def quantize(self, tensor: Tensor) -> Tensor:
        return super().quantize(tensor) / 2


class MoreValues(Uniform):
    def __init__(self, options: Options, site: Site, bits: int) -> None:
        super().__init__(Partition.tensor(), bits + 1)

    def describe(self) -> dict[str, Any]:
        described = super().describe()
        return described | {"bits": described["bits"] - 1}


class WorseWithBits(Plain):
    def set_range(self, lower: Tensor, upper: Tensor) -> None:
        reach = 1e3 if float(self.bits) == 8 else 1
        super().set_range(lower * reach, upper * reach)


class NoGradient(Plain):
    def quantize(self, tensor: Tensor) -> Tensor:
        return super().quantize(tensor.detach())


class Declares(Plain):
    estimator = "straight_through"


class Unused(Plain):
    """A parameter that takes no part."""

    def __init__(self, options: Options, site: Site, bits: int) -> None:
        super().__init__(options, site, bits)
        self.offset = nn.Parameter(torch.zeros(1))

    def parameter_group(self, name: str) -> str:
        return "scales" if name == "offset" else ""


class Noisy(Plain):
    drawn = itertools.cycle([0.9, 1.0, 1.1])

    def quantize(self, tensor: Tensor) -> Tensor:
        return super().quantize(tensor) * next(self.drawn)


class Remembers(Plain):
    """Keeps its factor out of its state."""

    factor = 1.0

    def set_range(self, lower: Tensor, upper: Tensor) -> None:
        super().set_range(lower, upper)
        self.factor = float(upper)

    def quantize(self, tensor: Tensor) -> Tensor:
        return super().quantize(tensor / self.factor) * self.factor


class Sized(Plain):
    seen: tuple[int, ...] = ()

    def quantize(self, tensor: Tensor) -> Tensor:
        self.seen = self.seen or tensor.shape
        return super().quantize(tensor).reshape(self.seen)


class Divides(Plain):
    def quantize(self, tensor: Tensor) -> Tensor:
        return super().quantize(tensor) * (tensor.max() - tensor.min()) / (tensor.max() - tensor.min())


class AlwaysOn(Plain):
    def forward(self, tensor: Tensor) -> Tensor:
        return self.quantize(tensor)


class Untold(Plain):
    def describe(self) -> dict[str, Any]:
        return super().describe() | {"bits": "four"}


class OtherDevice(Plain):
    def quantize(self, tensor: Tensor) -> Tensor:
        return super().quantize(tensor) * (1 if next(Halved.calls) else 2)


class Halved:
    calls = itertools.cycle([1, 0])


class Draws(Plain):
    def quantize(self, tensor: Tensor) -> Tensor:
        torch.rand(1)
        return super().quantize(tensor)


def fault(quantizer: str, law: str, says: str) -> Fault:
    return Fault(quantizer, law, says, {"factory": f"faulty.quantizers:{quantizer}"})


REFUSALS = "test_it_takes_some_site_and_refuses_others_in_words"
INPUT = "test_it_keeps_shape_and_type_and_its_input"
GRADIENT = "test_its_gradient_is_the_declared_one"

QUANTIZER = Kind(
    QuantizerSpec(name="planted", summary="sound", factory="faulty.quantizers:sound", options=NoOptions),
    (*FAULTS,
     fault("Uncouth", REFUSALS, "ZeroDivisionError"), fault("refuses_all", REFUSALS, "refuses every site"),
     fault("OverflowsInBfloat", INPUT, "bfloat16 gives NaN"),
     fault("Moods", "test_it_is_deterministic", "two quantizers made alike differ"),
     fault("NanGradient", GRADIENT, "the gradient has NaN"),
     fault("NanForOneToken", "test_it_takes_one_sample_and_odd_numbers_of_tokens", "gives NaN"),
     fault("Flat", INPUT, "became"), fault("InPlace", INPUT, "changed in place"), fault("OneType", INPUT, "float64"),
     fault("Halves", "test_it_is_idempotent", "the second time"),
     fault("MoreValues", "test_it_takes_at_most_two_to_the_bits_values_a_slot", "values"),
     fault("WorseWithBits", "test_more_bits_are_not_worse", "more bits have a squared error of"),
     fault("NoGradient", GRADIENT, "the gradient is 0, not 1"),
     fault("Declares", GRADIENT, "declares the estimator 'straight_through'"),
     fault("Unused", "test_its_parameters_get_gradients", "offset is trained (group 'scales') and gets no gradient"),
     fault("Noisy", "test_it_is_deterministic", "in two ways"),
     fault("Remembers", "test_its_state_goes_through_a_safetensors_file", "with another's state"),
     fault("Sized", "test_it_takes_one_sample_and_odd_numbers_of_tokens", "shape"),
     fault("Divides", "test_zeros_and_constants_give_numbers", "gives NaN"),
     fault("AlwaysOn", "test_switched_off_it_is_the_identity", "switched off, it changes the tensor"),
     fault("Untold", "test_its_description_is_well_formed", "bits is 'four'"),
     fault("OtherDevice", "test_it_gives_the_same_on_every_device", "on cpu:0"),
     fault("Draws", "test_nothing_global_is_changed", "torch's random state"),
     ))
