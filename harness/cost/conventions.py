"""Conventions for counting the bit-operations (BOPs) of one forward of one sample.

Each is a function of the traced operations alone (see :func:`harness.trace`); ``docs/costs.md`` writes
them as formulas and says which published figures they reproduce. Operands in full precision count 32
bits. A convention may be asked for part of a model: BOPs add up over operations.
"""

from __future__ import annotations

from collections.abc import Sequence

from .operations import Operand, Operation

#: One operation in full precision: a rescaled partial sum, a comparison, a step of a distance.
FULL_PRECISION_STEP = 32

#: Channel minimum and maximum: two comparisons an element (IGQ-ViT, eq. 4).
RANGE_STEPS = 2

#: Distance of one range to one group: two subtractions, two squares, one sum (IGQ-ViT, eq. 5).
DISTANCE_STEPS = 5

#: Quantformer's tables, DeiT at 224 pixels: BOPs that do not depend on the bit-width, per channel of
#: width. Reconstructed: fitted to the nine layer-wise figures of its Table 5, which it meets to 0.1 G.
QUANTFORMER_CONSTANT = 94.5e6

#: The part of it that 8-bit products explain: attention 2 n^2 L, patch embedding 196 * 768, classifier
#: 1000 (MACs per channel of width, n = 197 tokens, L = 12 blocks).
_EXPLAINED = 8 * 8 * (2 * 197**2 * 12 + 196 * 768 + 1000)

#: What is left, per token, channel and block: about ten full-precision steps of 32 x 32 BOPs, presumably
#: GELU, normalisation, softmax and the residual sums. Charging it per attended element gives the
#: constant above for DeiT and carries over to other depths and lengths.
QUANTFORMER_RESIDUAL = (QUANTFORMER_CONSTANT - _EXPLAINED) / (197 * 12)


def plain(operations: Sequence[Operation]) -> float:
    """MACs x bits x bits, exact per head, plus what groups really add."""
    return sum(operation.macs * paired_bits(operation) + group_overhead(operation) for operation in operations)


def qvit(operations: Sequence[Operation]) -> float:
    """Q-ViT's rule (Li et al. 2022, sec. 3.4): MACs x bits x bits, and nothing for heads or groups.

    The products of attention average the product of the two bit-widths over heads; the output
    projection multiplies the averages. Patch embedding and classifier count at their bits.
    """
    return sum(operation.macs * (paired_bits(operation) if operation.kind in ("scores", "values")
                                 else independent_bits(operation)) for operation in operations)


def quantformer(operations: Sequence[Operation]) -> float:
    """Quantformer's rule, reconstructed from its Table 5 (Wang et al. 2023).

    MACs x bits x bits, 32 BOPs for every partial sum beyond the first, and
    :data:`QUANTFORMER_RESIDUAL` for each element that a quantized attention puts out. A model in full
    precision pays no residual, as in the paper's first rows.
    """
    products = sum(operation.macs * independent_bits(operation) + accumulation(operation)
                   for operation in operations)
    attended = sum(operation.outputs for operation in operations
                   if operation.kind == "values" and any(operand.quantized for operand in operation.operands))
    return products + QUANTFORMER_RESIDUAL * attended


def independent_bits(operation: Operation) -> float:
    """The product of the operands' mean bits."""
    product = 1.0
    for operand in operation.operands:
        product *= operand.mean_bits
    return product


def paired_bits(operation: Operation) -> float:
    """The mean product of the operands' bits: head by head where each head meets only itself."""
    if len(operation.operands) == 2:
        left, right = operation.operands
        if isinstance(left.bits, tuple) and isinstance(right.bits, tuple) and (
                left.granularity == right.granularity == "head" and len(left.bits) == len(right.bits)):
            return sum(a * b for a, b in zip(left.bits, right.bits, strict=True)) / len(left.bits)
    return independent_bits(operation)


def group_overhead(operation: Operation) -> float:
    """What groups add: rescaled partial sums, and the run-time ranges and distances of dynamic groups."""
    return accumulation(operation) + sum(assignment(operand) for operand in operation.operands)


def accumulation(operation: Operation) -> float:
    """Rescaling and adding a partial sum for every group of the summed axis but the first.

    VS-Quant's arithmetic; 32 BOPs each give Quantformer's figures for 8 groups.
    """
    groups = max(operand.summed_groups for operand in operation.operands)
    return float((groups - 1) * operation.outputs * FULL_PRECISION_STEP)


def assignment(operand: Operand) -> float:
    """Finding ranges at run time, and the nearest group of each channel or row (IGQ-ViT, eqs. 4-5).

    There is nothing to choose where all positions share one group, or each has its own.
    """
    if not operand.dynamic:
        return 0.0
    chosen = 1 < operand.groups < operand.positions
    distances = operand.positions * operand.groups * DISTANCE_STEPS if chosen else 0
    return float((RANGE_STEPS * operand.elements + distances) * FULL_PRECISION_STEP)
