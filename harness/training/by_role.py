"""The recipe of methods that choose quantizers by what a tensor is, such as LSQ, LSQ+ and PACT."""

from __future__ import annotations

from typing import TypeVar

from ..method import Context
from ..model.site import Site
from ..options import Choice
from ..recipe import QuantizationAware
from .role_options import RoleOptions

RoleType = TypeVar("RoleType", bound=RoleOptions)


class ByRole(QuantizationAware[RoleType]):
    """Places by the options of :class:`harness.RoleOptions`; weight and input of the first layer alike."""

    def quantizer_of(self, site: Site) -> Choice:
        if site.operand == "attention":
            return self.options.attention
        if site.operand == "input" and site.role == "fc2":
            return self.options.hidden
        return super().quantizer_of(site)

    def bits_of(self, site: Site, context: Context) -> int:
        if site.operation == context.model.first and self.options.stem_bits is not None:
            return self.options.stem_bits
        return super().bits_of(site, context)
