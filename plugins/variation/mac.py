"""Area and power of a multiply-accumulate unit at two bit-widths (Table 14: TSMC 40 nm, 0.5 GHz, 32-bit sums)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from harness import Context, trace

from .modules import is_module

_AREA = {  # square micrometres, by the smaller bit-width; the larger counts up from it to 8
    2: (539.960, 551.074, 562.363, 571.360, 581.062, 597.996, 605.405), 3: (571.183, 589.882, 602.053, 621.634, 638.744,
    656.737), 4: (608.404, 635.569, 660.089, 677.200, 702.072), 5: (664.499, 695.545, 718.301, 749.347),
    6: (723.593, 770.515, 805.090), 7: (817.967, 864.889), 8: (893.642,)}
_POWER = {  # milliwatts
    2: (0.86949, 0.95939, 1.13939, 1.30085, 1.41680, 1.59534, 1.75574), 3: (1.30043, 1.42975, 1.57912, 1.69105, 1.86085,
    1.99110), 4: (1.58901, 1.70870, 1.85997, 1.94706, 2.08973), 5: (1.86345, 2.00091, 2.14442, 2.24832),
    6: (2.12107, 2.22367, 2.41882), 7: (2.43294, 2.52819), 8: (2.67960,)}


@dataclass(frozen=True)
class MacUnit:
    """Area in square micrometres and power in milliwatts."""

    area: float
    power: float


def mac_unit(left: int, right: int) -> MacUnit:
    """The unit for two bit-widths, 2 to 8 each; raises :class:`KeyError` for others."""
    low, high = sorted((left, right))
    if not 2 <= low <= high <= 8:
        raise KeyError((left, right))
    return MacUnit(_AREA[low][high - low], _POWER[low][high - low])


def mixed_mac_unit(shares: Mapping[tuple[int, int], float]) -> MacUnit:
    """The unit for several pairs of bit-widths with the MACs that use each (App. E).

    Its area is the largest of the pairs', its power the mean weighted by MACs.
    """
    units = {pair: mac_unit(*pair) for pair in shares}
    return MacUnit(max(unit.area for unit in units.values()),
                   sum(units[pair].power * macs for pair, macs in shares.items()) / sum(shares.values()))


def mac_notes(context: Context) -> dict[str, Any]:
    """Area and power for attention and feed-forward networks (Table 8 leaves the layers at 8 bits aside).

    Operands are paired slot by slot where both have as many slots. Empty where an operand has no unit in the table.
    """
    inputs = next(context.calibration.batches(1))
    shares: dict[tuple[int, int], float] = {}
    for operation in trace(context.model, lambda model: context.calibration.forward(model, inputs)):
        if not is_module(operation.role):
            continue
        left, right = (operand.bits if isinstance(operand.bits, tuple) else (operand.bits,)
                       for operand in operation.operands)
        pairs = list(zip(left, right, strict=True)) if len(left) == len(right) else [
            (a, b) for a in left for b in right]
        for pair in pairs:
            shares[pair] = shares.get(pair, 0.0) + operation.macs / len(pairs)
    try:
        return asdict(mixed_mac_unit(shares)) if shares else {}
    except KeyError:
        return {}
