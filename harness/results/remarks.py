"""What a reader of a table must know besides its numbers."""

from __future__ import annotations

from collections.abc import Sequence

from .record import Record, Reference


def remarks(members: Sequence[Record], gate: Reference | None) -> tuple[str, ...]:
    """The full-precision gate, failed runs with their reasons, and differences in software or hardware."""
    said = [_gate(gate)] if gate else ["No full-precision record: drops are unknown."]
    failed = [record for record in members if record.failure]
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


def _failure(record: Record) -> str:
    asked, failure = record.asked, record.failure
    reason = f"{failure.phase}: {failure.reason}" if failure else ""
    return f"failed: {asked.method} {asked.bits}, seed {asked.seed} ({record.identity}): {' '.join(reason.split())}"


def _environments(members: Sequence[Record]) -> list[str]:
    said = []
    environments = [record.environment for record in members]
    for what, values in (("versions of harness", [each.harness for each in environments]),
                         ("versions of torch", [each.packages.get("torch", "") for each in environments]),
                         ("versions of timm", [each.packages.get("timm", "") for each in environments]),
                         ("devices", [each.device for each in environments])):
        found = sorted(set(values) - {""})
        if len(found) > 1:
            said.append(f"Measured with different {what}: {', '.join(found)}.")
    return said


def explanation(members: Sequence[Record]) -> str:
    """How the numbers of a section are to be read."""
    samples = sorted({record.per_sample.n for record in members if record.per_sample})
    over = f" over the same {samples[0]} samples" if len(samples) == 1 else " over the same samples"
    return ("± is the standard deviation over seeds, where a method was run with several; n is their number. "
            "The drop is full precision minus the method, both measured here. "
            f"[low, high] is the 95 % interval of the difference, paired{over} and, with several seeds, over seeds. "
            "Methods share a rank (=) where that interval, taken to the best of the rank, contains 0.")
