"""The reference: the model as it is. An ordinary method, so that its record is an ordinary record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..method import Context, Method
from ..options import Options
from ..results.record import Gate, Record, Reference

if TYPE_CHECKING:
    from .plan import Run


class FullPrecision(Method[Options]):
    """Quantizes nothing. Run once for each task, model and data; every other run is compared with it."""

    def place(self, context: Context) -> None:
        """Leave every site in full precision."""

    def calibrate(self, context: Context) -> None:
        """Nothing to set."""


#: How far (in points of the main metric) a measured reference may lie from the published figure.
GATE_TOLERANCE = 0.2


def compared(run: Run, record: Record) -> Reference:
    """The reference of ``run`` and its gate: ``flagged`` when it is off the checkpoint's published figure."""
    published = run.task.published if run.limit is None else None  # a figure for the whole split only
    tolerance = None if published is None else GATE_TOLERANCE
    gate: Gate = "unknown"
    if published is not None:
        gate = "passed" if abs(record.value - published) <= GATE_TOLERANCE else "flagged"
    return Reference(identity=record.identity, value=record.value, published=published, tolerance=tolerance, gate=gate)
