"""Runs that probe a model: all but a part of it quantized, a part alone, or one head at bits of its own.

They measure how sensitive the parts are, and are no entries of a ranking. An option of their method says that they are
probes; its name is the same for all methods.
"""

from __future__ import annotations

from ..entry import Measured

#: The options that name parts of the model, and the one that names a head.
PARTS = ("leave_out", "only")
HEAD = "head_probe"


def probe(record: Measured) -> str:
    """The option that makes the run a probe; empty for all others."""
    given = record.options
    return next((option for option in (*PARTS, HEAD) if given.get(option)), "")
