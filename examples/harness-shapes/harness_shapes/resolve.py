"""Which model and data a request means. Light: no torch."""

from __future__ import annotations

from pathlib import Path

from harness import DataError, Resolved, TaskRequest, UnknownNameError, asked_weights, shipped_weights

MODELS = ("hourglass",)
#: Enters the identity of every run: change it with what draws the pictures.
DATA = "shapes-1"
WEIGHTS = Path(__file__).parent / "weights"


def resolve(request: TaskRequest) -> Resolved:
    """Raises :class:`harness.DataError` for another scale, and :class:`harness.UnknownNameError` for another model."""
    if request.scale not in (None, "mini") or request.data:
        raise DataError("shapes are drawn, and have no full scale", "Use --scale mini, without --data")
    model = request.model or MODELS[0]
    if model not in MODELS:
        raise UnknownNameError("model of task shapes:", model, MODELS)
    weights = asked_weights(request.weights) if request.weights else shipped_weights(
        model, WEIGHTS / f"{model}.safetensors")
    notice = "MINI scale: drawn shapes; figures compare methods with one another"
    return Resolved(task="shapes", scale="mini", model=model, fingerprint=DATA, weights_hash=weights.hash,
                    locations={"weights": weights.path}, notice=f"{notice} {weights.notice}".strip())
