"""What every method promises, as tests; subclass :class:`MethodConformance` in your package's tests."""

from __future__ import annotations

import copy
import time

import torch
from torch import Tensor

from ..quantizers.base import Identity
from ..registry import registry
from ..request import Bits
from ..specs import BitRange
from .estimators import check_estimator
from .law import law, require
from .levels import check_description, check_levels
from .method_contract import MethodContract
from .method_run import MethodRun, answers, pictures, seen_by_quantizers
from .state import scramble, through_safetensors
from .tiny_vit import tiny_vit
from .toy import divergence


class MethodConformance(MethodContract):
    """Checks one method on a tiny transformer, in seconds and without data.

    ``method`` is its registered name, ``options`` what ``--set`` would give it, ``low`` and ``high`` the two
    bit-widths that are compared: by default 4 and 8, or the nearest that it declares.
    """


    @law("Place quantizers on weights and on activations (see harness.PlacementOptions)")
    def test_it_quantizes_weights_and_activations(self) -> None:
        model = self.made(self.few).model
        placed = {path for path, quantizer in model.quantizers.items() if not isinstance(quantizer, Identity)}
        require(any(model.sites[path].is_weight for path in placed), "no weight is quantized")
        require(any(not model.sites[path].is_weight for path in placed), "no activation is quantized")

    @law("Look for a division by zero, or a quantizer that is placed and never set")
    def test_outputs_are_finite_and_have_changed(self) -> None:
        outputs = self.made(self.few).outputs()
        require(bool(torch.isfinite(outputs).all()), "the outputs have NaN or infinity")
        require(not torch.allclose(outputs, reference(), rtol=1e-4, atol=1e-5), "the outputs are full precision's")

    @law("Clip to the 2^bits integers that describe() declares")
    def test_weights_take_at_most_two_to_the_bits_values_a_slot(self) -> None:
        model = self.made(self.few).model
        for path, quantizer in model.quantizers.items():
            if model.sites[path].is_weight and not isinstance(quantizer, Identity):
                with torch.no_grad():
                    quantized = quantizer(model.operation(model.sites[path].operation).weight)
                check_levels(model.sites[path], quantizer, quantized)

    @law("Clip to the 2^bits integers that describe() declares, or declare it dynamic where each input has its own")
    def test_activations_take_at_most_two_to_the_bits_values_a_slot(self) -> None:
        made = self.made(self.few)
        for path, tensor in seen_by_quantizers(made).items():
            quantizer = made.model.quantizer(path)
            if not made.model.sites[path].is_weight and not quantizer.describe()["dynamic"]:
                with torch.no_grad():
                    check_levels(made.model.sites[path], quantizer, quantizer(tensor))

    @law("Round to a grid that does not depend on the input, or set idempotent = False on the quantizer's class")
    def test_static_quantizers_are_idempotent(self) -> None:
        made = self.made(self.few)
        for path, tensor in seen_by_quantizers(made).items():
            quantizer = made.model.quantizer(path)
            if not quantizer.describe()["dynamic"] and quantizer.idempotent:
                with torch.no_grad():
                    once = quantizer(tensor)
                    twice = quantizer(once)
                require(once.shape == tensor.shape, f"{path}: {tuple(tensor.shape)} became {tuple(once.shape)}")
                apart = float((twice - once).abs().max())
                require(torch.allclose(twice, once, rtol=1e-5, atol=1e-6),
                        f"{path} is not idempotent: a second time it moves a value by {apart:.3g}")

    @law("Draw every random number from context.generator")
    def test_the_same_seed_gives_the_same_model(self) -> None:
        made, second = self.made(self.few), self.run(self.few)
        made.seconds = min(made.seconds, second.seconds)  # the first one may have imported something
        apart = float((made.outputs() - second.outputs()).abs().max())
        require(apart == 0, f"two runs differ by up to {apart:.3g}")

    @law("Look at what depends on the number of bits: limits, ranges, the search")
    def test_more_bits_are_not_much_worse(self) -> None:
        low, high = (divergence(reference(), self.made(bits).outputs()).item() for bits in (self.few, self.many))
        require(high <= 1.1 * low + 1e-6, f"{self.many} diverges by {high:.3g}, {self.few} by {low:.3g}")

    @law("Pass on the declared gradient (harness.round_ste, harness.fake_quantize), or set estimator on the "
         "quantizer's class")
    def test_its_quantizers_have_the_declared_gradients(self) -> None:
        """At many bits, where rounding hides little of the slope."""
        made = self.made(self.many)
        for path, tensor in seen_by_quantizers(made).items():
            check_estimator(path, made.model.quantizer(path), tensor)

    @law("See harness.Quantizer.describe: records and costs are made from it")
    def test_descriptions_are_well_formed(self) -> None:
        for path, quantizer in self.made(self.few).model.quantizers.items():
            check_description(path, quantizer.describe(), not isinstance(quantizer, Identity))

    @law("Keep what was calibrated in parameters and buffers of the quantizers, not in plain attributes")
    def test_its_state_goes_through_a_safetensors_file(self) -> None:
        """Into the model of a run on other data; into this run's again, emptied, where shapes follow from the data."""
        made = self.made(self.few)
        state, other = through_safetensors(made.model), self.run(self.few, first_sample=1000).model
        if any(value.shape != state[name].shape for name, value in other.state_dict().items() if name in state):
            other = copy.deepcopy(made.model)
            scramble(other)
        other.load_state_dict(state)
        apart = float((answers(other, pictures()) - made.outputs()).abs().max())
        require(apart < 1e-5, f"a model with the state of another answers otherwise, by up to {apart:.3g}")

    @law("Take sizes from the tensor at hand, not from those of calibration")
    def test_it_takes_one_sample_and_odd_numbers_of_tokens(self) -> None:
        made = self.made(self.few)
        for batch, side, tokens in ((1, 16, 16), (3, 12, 9), (1, 4, 1)):
            outputs = made.outputs(batch, side)
            require(outputs.shape[0] == batch, f"{batch} samples of {tokens} tokens give {tuple(outputs.shape)}")
            require(bool(torch.isfinite(outputs).all()), f"{batch} samples of {tokens} tokens give NaN or infinity")

    @law("Make tensors in the type of the tensor at hand: torch.full_like(x, ...), scale.to(x)")
    def test_it_runs_in_double_precision(self) -> None:
        made = self.made(self.few)
        double = answers(copy.deepcopy(made.model).double(), pictures().double())
        require(double.dtype == torch.float64, f"the model in double precision answers in {double.dtype}")
        require(_much_closer(made.outputs(), double), "the model in double precision answers otherwise")

    @law("Make tensors on the device of the tensor at hand: torch.zeros_like(x), x.new_zeros(...), buffers")
    def test_it_gives_nearly_the_same_on_every_device(self) -> None:
        """Every device of this machine; where there is only a CPU, the hints say so."""
        for device in other_devices():
            outputs = self.run(self.few, device=device).outputs()
            require(_much_closer(self.made(self.few).outputs(), outputs), f"on {device} the model answers otherwise")

    def hints(self) -> list[str]:
        """How its speed compares with min-max, and where it was not tried."""
        said = [] if other_devices() else ["tried on the CPU only: there is no GPU here"]
        if "minmax" in registry().methods and self.few in _Reference.all_bits():
            minmax = _Reference()
            minmax.test_the_same_seed_gives_the_same_model()  # the second run has nothing to import
            own, plain = self.made(self.few), minmax.made(self.few)
            said.append(f"on a tiny model it calibrates in {own.seconds:.2g} s of processor time, min-max in "
                        f"{plain.seconds:.2g} s; a forward takes {_forward(own) / _forward(plain):.1f} times min-max's")
        return said


class _Reference(MethodConformance):
    """Min-max, which others' speed is compared with."""

    method = "minmax"

    @classmethod
    def all_bits(cls) -> list[Bits]:
        """The bits that min-max can do."""
        spec = registry().methods[cls.method]
        ranges: tuple[BitRange, BitRange] = spec.weight_bits, spec.activation_bits
        return [Bits(weights, activations) for weights in range(ranges[0].low, ranges[0].high + 1)
                for activations in range(ranges[1].low, ranges[1].high + 1)]


def reference() -> Tensor:
    """What the tiny transformer answers in full precision."""
    with torch.no_grad():
        return tiny_vit()(pictures())


def other_devices() -> list[str]:
    """The devices of this machine beside the CPU."""
    return ["cuda"] if torch.cuda.is_available() else []


def _much_closer(outputs: Tensor, others: Tensor) -> bool:
    """Whether these answers are alike, measured by how far quantization has moved them.

    Not equal: a number in the middle between two levels is rounded either way.
    """
    return divergence(outputs, others).item() <= 0.5 * divergence(reference(), outputs).item() + 1e-6


def _forward(made: MethodRun) -> float:
    """Seconds of processor time of a forward, the least of several."""
    inputs, best = pictures().to(made.context.calibration.device), float("inf")
    for _ in range(5):
        start = time.process_time()
        with torch.no_grad():
            made.model(inputs)
        best = min(best, time.process_time() - start)
    return best
