"""Building the core's quantizers for a site from their options."""

from __future__ import annotations

from ..builtin import LearnedOptions, UniformOptions
from ..model.site import Site
from .learned import LearnedUniform
from .uniform import Uniform


def uniform(options: UniformOptions, site: Site, bits: int) -> Uniform:
    """A :class:`Uniform` quantizer over the partition that ``options`` name on this site."""
    return Uniform(site.layout.partition(options.granularity, options.group), bits, options.scheme)


def learned(options: LearnedOptions, site: Site, bits: int) -> LearnedUniform:
    """A :class:`LearnedUniform` quantizer over the partition that ``options`` name on this site."""
    return LearnedUniform(site.layout.partition(options.granularity, options.group), bits, options.scheme,
                          offset=options.offset, gradient_scale=options.gradient_scale)
