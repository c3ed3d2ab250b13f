"""Building the core's quantizers for a site from their options."""

from __future__ import annotations

from ..builtin import UniformOptions
from ..model.site import Site
from .uniform import Uniform


def uniform(options: UniformOptions, site: Site, bits: int) -> Uniform:
    """A :class:`Uniform` quantizer over the partition that ``options`` name on this site."""
    return Uniform(site.layout.partition(options.granularity, options.group), bits, options.scheme)
