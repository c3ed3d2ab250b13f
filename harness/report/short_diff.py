"""A few lines that show where two texts differ, however long the texts and their lines are."""

from __future__ import annotations

from itertools import takewhile

LINES = 3
WIDTH = 140


def short_diff(before: str, after: str) -> tuple[str, ...]:
    """The first lines that differ: ``-`` of ``before``, ``+`` of ``after``, long ones cut to where they differ."""
    old, new = before.splitlines(), after.splitlines()
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    old, new = old[start:len(old) - end], new[start:len(new) - end]
    if not old and not new:
        return ("(line endings differ)",)
    cut = _common(old[0], new[0]) if old and new else 0
    return (f"@ line {start + 1}", *_shown("-", old, cut), *_shown("+", new, cut))


def _common(first: list[str] | str, second: list[str] | str) -> int:
    """How many items the two have in common at the beginning."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))


def _shown(sign: str, lines: list[str], cut: int) -> list[str]:
    more = [f"{sign} ... {len(lines) - LINES} more lines"] if len(lines) > LINES else []
    return [f"{sign} {_window(line, cut)}" for line in lines[:LINES]] + more


def _window(line: str, cut: int) -> str:
    if len(line) <= WIDTH:
        return line
    start = max(0, min(cut - WIDTH // 4, len(line) - WIDTH))
    text = line[start:start + WIDTH]
    return f"{'...' if start else ''}{text}{'...' if start + WIDTH < len(line) else ''}"
