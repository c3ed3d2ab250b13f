"""The method ``lsq``."""

from __future__ import annotations

from harness import ByRole

from .options import LsqOptions


class Lsq(ByRole[LsqOptions]):
    """A learned scale for every tensor (:class:`harness.LearnedUniform`), trained with the weights."""
