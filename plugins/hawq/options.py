"""Options of HAWQ-v2."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness import AllocationOptions, Bits, OptionError, TaskSpec


class HawqOptions(AllocationOptions):
    """Options of the search ``hawq``."""

    probes: int = Field(50, ge=1, description="Rademacher vectors for each batch in Hutchinson's estimate of the trace")
    samples: int = Field(32, ge=1, description="training samples whose loss is differentiated")
    batch_size: int = Field(8, ge=1, description="of these samples at a time: second derivatives need memory")
    measure: Literal["size", "bops"] = Field(
        "size", description="what the budget limits: the bytes of the weights, or the bit-operations")


def can_differentiate(options: HawqOptions, task: TaskSpec, bits: Bits) -> None:
    """Raises :class:`harness.OptionError` for a task without second derivatives."""
    if not task.second_derivatives:
        raise OptionError(f"the search hawq needs second derivatives, and the loss of {task.name} has first ones only",
                          "Use another search (haq, edmips, fracbits)")
