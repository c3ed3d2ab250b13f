"""What a format writes: a title, and parts with notes above and below their grids."""

from __future__ import annotations

from dataclasses import dataclass

from .grid import Grid


@dataclass(frozen=True)
class Part:
    """One heading with its grid. ``notices``: warnings that come first; ``lead``: what the figures are of;
    ``notes``: what a reader must know, one a line; ``aside``: grids that are kept apart, each with its caption.
    """

    heading: str
    grid: Grid
    notices: tuple[str, ...] = ()
    lead: str = ""
    notes: tuple[str, ...] = ()
    aside: tuple[Grid, ...] = ()


@dataclass(frozen=True)
class Document:
    """A whole table. ``remarks`` stand before the parts, ``explanation`` (how to read it) after them."""

    title: str
    parts: tuple[Part, ...]
    remarks: tuple[str, ...] = ()
    explanation: str = ""
    empty: str = "No records."
