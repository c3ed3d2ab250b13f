"""How large a quantized model is, in bytes, as each paper counts it.

Everything is read from the instrumented model: its parameters, and the quantizers on its weights.
Parameters of quantizers are not parameters of the model. A parameter that several operations share is
counted once, at the bits of the first. Input channels by which an operation is expanded have weights of
their own, in every count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from torch import nn

from ..model.instrument import InstrumentedModel
from ..model.operations import QuantizableParametric
from ..quantizers.base import Identity, Quantizer
from .operations import FULL_PRECISION_BITS, expansion

_WORD = FULL_PRECISION_BITS / 8


def parameters(model: InstrumentedModel) -> int:
    """Number of parameters of the model, shared and expanded ones as said above, without those of its quantizers."""
    own = sum(parameter.numel() for parameter in dict.fromkeys(_own_parameters(model.model)))
    return own + sum(_stored(operation) - operation.weight.numel() for operation in _parametric(model))


def plain(model: InstrumentedModel) -> float:
    """What has to be stored: weights at their bits, all else at 32, and each slot's two parameters.

    Every slot of every placed quantizer has a scale and a zero point of 32 bits (a symmetric one could
    do without the second). Learned groups cost nothing more: channels can be stored in group order.
    """
    weights = list(_weights(model))
    quantized = sum(elements * bits / 8 for elements, bits in weights)
    rest = parameters(model) - sum(elements for elements, _ in weights)
    slots = sum(quantizer.describe()["groups"] for quantizer in model.quantizers.values() if quantizer.enabled)
    return quantized + _WORD * rest + 2 * _WORD * slots


def ptqvit(model: InstrumentedModel) -> float:
    """PTQ-ViT (Liu et al. 2021, tables 1-2): *every* parameter at the bits of the weights.

    Biases, normalisation and position embeddings, which stay in full precision, count at the mean bits
    of the quantized weights all the same; a weight that was left in full precision counts 32.
    """
    weights = list(_weights(model))
    quantized = [(elements, bits) for elements, bits in weights if bits < FULL_PRECISION_BITS]
    total = sum(elements for elements, _ in quantized)
    mean = sum(elements * bits for elements, bits in quantized) / total if total else FULL_PRECISION_BITS
    rest = parameters(model) - sum(elements for elements, _ in weights)
    return sum(elements * bits / 8 for elements, bits in weights) + rest * mean / 8


def quantformer(model: InstrumentedModel) -> float:
    """Quantformer's "Param.": weights at their bits and biases at 32 (reconstructed from its Table 5).

    The paper prints it as a number of 32-bit parameters: divide by 4. Normalisation, position and class
    embeddings are left out.
    """
    biases = dict.fromkeys(operation.bias for operation in model.operations.values()
                           if isinstance(operation, QuantizableParametric) and operation.bias is not None)
    return sum(elements * bits / 8 for elements, bits in _weights(model)) + _WORD * sum(
        bias.numel() for bias in biases)


#: Convention -> bytes, as a record holds them.
CONVENTIONS: Mapping[str, Callable[[InstrumentedModel], float]] = {
    "plain": plain, "ptqvit": ptqvit, "quantformer": quantformer}


def sizes(model: InstrumentedModel) -> dict[str, float]:
    """Bytes of the model under each convention."""
    return {name: float(convention(model)) for name, convention in CONVENTIONS.items()}


def _weights(model: InstrumentedModel) -> Iterator[tuple[int, float]]:
    """(elements, mean bits) of every operation's weight."""
    for operation in _parametric(model):
        quantizer: Quantizer = operation.quantizers["weight"]  # type: ignore[assignment]
        yield _stored(operation), (quantizer if quantizer.enabled else Identity()).mean_bits


def _parametric(model: InstrumentedModel) -> Iterator[QuantizableParametric]:
    """The operations with a weight, of those that share one the first."""
    seen: set[int] = set()
    for operation in model.operations.values():
        if isinstance(operation, QuantizableParametric) and id(operation.weight) not in seen:
            seen.add(id(operation.weight))
            yield operation


def _stored(operation: QuantizableParametric) -> int:
    """Elements of the operation's weight, expanded ones included."""
    return round(operation.weight.numel() * expansion(operation))


def _own_parameters(module: nn.Module) -> Iterator[nn.Parameter]:
    if isinstance(module, Quantizer):
        return
    yield from module.parameters(recurse=False)
    for child in module.children():
        yield from _own_parameters(child)
