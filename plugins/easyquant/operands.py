"""The two operands of each kind of operation, from what was observed of it."""

from __future__ import annotations

from harness import RowSample, Uniform, weight_rows

from .operand import Operand
from .products import ProductSample


def layer_operands(full: RowSample, given: RowSample, weight: Uniform | None, tokens: Uniform | None
                   ) -> tuple[Operand, Operand]:
    """Weight and input of a linear layer or convolution, with the bias as a constant column."""
    operation = given.operation
    parameter = operation.get_parameter("weight").detach()
    matrices, rows = weight_rows(operation, parameter), given.rows
    slots = None
    if weight is not None and weight.partition.slots > 1:
        slots = weight_rows(operation, weight.partition.index.to(parameter.device).expand(parameter.shape))
    bias = None if operation.bias is None else operation.get_parameter("bias").detach()
    bias = None if bias is None else bias.reshape(*matrices.shape[:2], 1)
    ones = None if bias is None else rows.new_ones((*rows.shape[:2], 1))
    return (Operand(matrices, matrices, weight, slots, bias),
            Operand(given.counterparts(full), rows, tokens, given.slots, ones))


def product_operands(full: ProductSample, given: ProductSample, left: Uniform | None, right: Uniform | None
                     ) -> tuple[Operand, Operand]:
    """Query and key, or attention and value."""
    left_slots = None if left is None else given.slots(left.partition, "left")
    right_slots = None if right is None else given.slots(right.partition, "right")
    return (Operand(full.left, given.left, left, left_slots), Operand(full.right, given.right, right, right_slots))
