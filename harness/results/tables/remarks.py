"""What a reader of a table must know besides its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..entry import Measured
from ..record import Reference
from .probes import probe

#: How the numbers of a section are to be read.
EXPLANATION = (
    "The full-precision row is measured here, and a drop is that figure minus the method's. ± is the standard "
    "deviation over n seeds. [low, high] is the 95 % interval of the difference to the row that is compared to, "
    "over the same samples and, with several seeds, over seeds; where the metric is no mean (AP, correlations) it "
    "is found by 1,000 resamples of the samples. Rows share a rank (=) where the interval, taken to the best of "
    "the rank, contains 0. Time is what the method took to allocate, calibrate and train, memory the most that "
    "the process had held by then. A published figure stands in a column of its own, with the number of its "
    "source; it has its own data, checkpoint and protocol, and is never ranked or compared with a measured one.")


def remarks(members: Sequence[Measured], gate: Reference | None, gaps: Mapping[str, float]) -> tuple[str, ...]:
    """The full-precision gate, what the table can resolve, failed runs, and differences in software or hardware.

    ``gaps``: bits -> the smallest difference between two rows that the records can tell from none.
    """
    said = [_gate(gate)] if gate else ["No full-precision record: drops are unknown."]
    if gaps:
        each = ", ".join(f"{gap:.2f} at {bits}" for bits, gap in gaps.items())
        said.append(f"Smallest gap between two rows that this table can resolve: {each}.")
    if any(map(probe, members)):
        said.append("Rows with a result but without a rank are probes: all but a part of the model is quantized, or a "
                    "part alone, or one head has bits of its own. They are drawn by harness plot sensitivity.")
    failed = [record for record in members if record.status == "failed"]
    said += [_failure(record) for record in sorted(failed, key=lambda record: (
        record.asked.method, record.asked.bits, record.asked.seed, record.identity))]
    said += _environments(members)
    return tuple(said)


def _gate(reference: Reference) -> str:
    if reference.published is None:
        return (f"Full precision measured: {reference.value:.2f}. Nothing is published for exactly this checkpoint "
                "and these data, so it could not be checked.")
    text = (f"Full precision measured: {reference.value:.2f}; published: {reference.published:.2f} "
            f"({reference.deviation:+.2f}).")
    if reference.gate == "flagged":
        return f"FLAGGED: {text} The setup is not that of the publication: figures here do not compare with papers'."
    return text


def _failure(record: Measured) -> str:
    asked, failure = record.asked, record.failure
    reason = f"{failure.phase}: {failure.reason}" if failure else ""
    return f"failed: {asked.method} {asked.bits}, seed {asked.seed} ({record.identity}): {' '.join(reason.split())}"


def _environments(members: Sequence[Measured]) -> list[str]:
    said = []
    environments = list({id(each): each for each in [record.environment for record in members]}.values())
    for what, values in (("versions of harness", [each.harness for each in environments]),
                         ("versions of torch", [each.packages.get("torch", "") for each in environments]),
                         ("versions of timm", [each.packages.get("timm", "") for each in environments]),
                         ("devices", [each.device for each in environments])):
        found = sorted(set(values) - {""})
        if len(found) > 1:
            said.append(f"Measured with different {what}: {', '.join(found)}.")
    return said
