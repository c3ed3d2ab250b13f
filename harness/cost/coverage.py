"""What of a model was really quantized, and what was not: the part of a record that makes rows comparable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from ..model.instrument import InstrumentedModel
from ..model.site import Site
from ..model.unseen import unseen_products
from .operations import Operand, Operation

Run = Callable[[InstrumentedModel], Any]


def coverage(model: InstrumentedModel, run: Run, operations: Sequence[Operation], samples: int = 1) -> dict[str, Any]:
    """Plain data for a record.

    ``quantized``: each site with a quantizer, and what it does there (``expansion`` only where there is one).
    ``full_precision``: the sites left as they are. ``not_run``: operations that the forward never called, whose
    sites are in neither. ``quantized_macs_share``: share of all MACs, those outside of sites included and expansions
    left out, whose operands are all quantized. ``macs_outside_sites``: see :func:`macs_outside_sites`;
    ``outside_sites`` says where they are.
    """
    operands = [operand for operation in operations for operand in operation.operands]
    outside = macs_outside_sites(model, run, operations, samples)
    inside = sum(operation.plain_macs for operation in operations)
    quantized = sum(operation.plain_macs for operation in operations
                    if all(operand.quantized for operand in operation.operands))
    return {
        "quantized": [_entry(model.sites[operand.site], operand) for operand in operands if operand.quantized],
        "full_precision": [operand.site for operand in operands if not operand.quantized],
        "not_run": sorted(set(model.operations) - {operation.path for operation in operations}),
        "quantized_macs_share": quantized / (inside + outside) if inside + outside else 0.0,
        "macs_outside_sites": outside,
        "outside_sites": unseen_products(model, run) if outside else [],
    }


@torch.no_grad()
def macs_outside_sites(model: InstrumentedModel, run: Run, operations: Sequence[Operation], samples: int = 1) -> int:
    """MACs of one sample in matrix products and convolutions that no site sees; 0 for a covered model.

    torch's own counter sees every product of the forward ``run(model)``, whoever calls it. The quantizers are
    off, so that products inside of them (a mixture of groups) are not taken for the model's.
    """
    with model.full_precision(), FlopCounterMode(display=False) as counter:
        run(model)
    macs = counter.get_total_flops() // 2 // samples
    return macs - sum(operation.plain_macs for operation in operations)


def _entry(site: Site, operand: Operand) -> dict[str, Any]:
    expansion = {"expansion": operand.expansion} if operand.expansion != 1 else {}
    return {"site": site.path, "role": site.role, "block": site.block, "quantizer": operand.quantizer,
            "bits": list(operand.bits) if isinstance(operand.bits, tuple) else operand.bits,
            "granularity": operand.granularity, "groups": operand.groups, "dynamic": operand.dynamic, **expansion}
