"""Building the quantizer ``switchable`` for a site from its options."""

from __future__ import annotations

from harness import Site

from .options import SwitchableOptions
from .partitions import bit_partition, scale_partition
from .quantizer import Switchable


def switchable(options: SwitchableOptions, site: Site, bits: int) -> Switchable:
    """A :class:`Switchable` quantizer that starts from ``bits``."""
    partition = bit_partition(site, options.granularity, options.compat_head_axis)
    return Switchable(partition, scale_partition(site, partition, options.scale_per_head), bits, options.scheme,
                      learn=options.learn, switchable=options.switchable, offset=options.offset,
                      low=options.low, high=options.high)
