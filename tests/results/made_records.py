"""Records made up for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.results.record import FULL_PRECISION, Asked, Costs, Environment, Failure, Record, Reference
from harness.results.samples import PerSample


def make_record(method: str = "minmax", bits: str = "4/4", seed: int = 0, *, right: Sequence[float] = (1, 1, 0, 1),
                failed: str = "", task: str = "imagenet", scale: str = "mini", model: str = "vit_mini",
                fingerprint: str = "d0", weights_hash: str = "w0", calibration_size: int = 32,
                evaluation_limit: int | None = None, configuration: dict[str, Any] | None = None,
                **fields: Any) -> Record:
    """A record whose main metric is the percentage of ``right``."""
    asked = Asked(task=task, scale=scale, model=model, method=method, bits=bits, seed=seed, fingerprint=fingerprint,
                  weights_hash=weights_hash, calibration_size=calibration_size, evaluation_limit=evaluation_limit,
                  configuration=configuration or {})
    environment = fields.pop("environment", Environment(harness="0.1.0", python="3.11.9", packages={"torch": "2.4.0"}))
    shared = {"asked": asked, "environment": environment, "created": "2025-01-02T03:04:05+00:00", **fields}
    if failed:
        failure = Failure(phase="calibrate", reason=failed, remedy="Use fewer bits", error="QuantizationError")
        return Record(status="failed", failure=failure, **shared)
    width = sum(int(part) for part in bits.split("/"))
    measured = {"metrics": {"top1": 100 * sum(right) / len(right)}, "main_metric": "top1",
                "per_sample": PerSample.pack(right),
                "costs": Costs(macs=1000, bops={"plain": 1e8 * width}, parameters=10, sizes={"plain": 1e6 * width})}
    return Record(status="ok", **{**measured, **shared})


def make_reference(right: Sequence[float] = (1, 1, 1, 1), published: float | None = None, gate: str = "unknown",
                   **fields: Any) -> Record:
    """The full-precision record."""
    record = make_record(FULL_PRECISION, "32/32", 0, right=right, calibration_size=0, **fields)
    reference = Reference(identity=record.identity, value=record.value, published=published, gate=gate)  # type: ignore[arg-type]
    return record.model_copy(update={"reference": reference})
