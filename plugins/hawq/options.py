"""Options of HAWQ-v2."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness import AllocationOptions


class HawqOptions(AllocationOptions):
    """Options of the search ``hawq``."""

    probes: int = Field(50, ge=1, description="Rademacher vectors for each batch in Hutchinson's estimate of the trace")
    samples: int = Field(32, ge=1, description="training samples whose loss is differentiated")
    batch_size: int = Field(8, ge=1, description="of these samples at a time: second derivatives need memory")
    measure: Literal["size", "bops"] = Field(
        "size", description="what the budget limits: the bytes of the weights, or the bit-operations")
