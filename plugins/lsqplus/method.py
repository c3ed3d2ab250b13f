"""The method ``lsqplus``."""

from __future__ import annotations

from harness import ByRole

from .options import LsqPlusOptions


class LsqPlus(ByRole[LsqPlusOptions]):
    """A learned scale for every tensor, and a learned offset after the GELU (:class:`harness.LearnedUniform`)."""
