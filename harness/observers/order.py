"""The order in which a model really calls its operations."""

from __future__ import annotations

from itertools import groupby

from ..engine.calibration import Calibration
from ..errors import QuantizationError
from ..model.instrument import InstrumentedModel
from ..quantizers.base import Identity


def forward_order(model: InstrumentedModel, calibration: Calibration) -> list[list[str]]:
    """Paths of the operations with quantized sites, as called, one list for each block on the way.

    Found by one forward of one sample in full precision; by one of all samples for operations that it did not
    call (the mask head of a detector that found nothing). Raises :class:`harness.QuantizationError` for an
    operation that is quantized but never called.
    """
    wanted = {site.operation: site.block for path, site in model.sites.items()
              if not isinstance(model.quantizer(path), Identity)}
    order: dict[str, None] = {}
    with model.full_precision():
        for indices in ([0], None):
            if missing := [path for path in wanted if path not in order]:
                calibration.observe(model, indices=indices, operations={
                    path: lambda *_, path=path: order.setdefault(path) for path in missing})
    if never := [path for path in wanted if path not in order]:
        raise QuantizationError(f"no calibration data reached {never[0]!r}",
                                "Leave its sites in full precision, or calibrate with inputs that use it")
    return [list(paths) for _, paths in groupby(order, key=lambda path: wanted[path])]
