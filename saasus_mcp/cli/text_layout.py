"""Text in the columns of a terminal, in which East Asian letters are two wide and lines break between them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import pairwise
from unicodedata import category

from saasus_mcp.common.text import display_width

MAX_COLUMNS, MIN_COLUMNS = 100, 40
"""Columns that are used of a terminal: longer lines are hard to read, and on fewer nothing can be laid out."""
OPENING_CATEGORIES, CLOSING_CATEGORIES = frozenset({"Ps", "Pi"}), frozenset({"Pe", "Pf", "Po"})
"""Categories of brackets and punctuation, which stay with what they belong to."""


def terminal_columns() -> int:
    """Columns that text is laid out in on this terminal."""
    return max(MIN_COLUMNS, min(MAX_COLUMNS, shutil.get_terminal_size().columns))


def wrap_text(text: str, columns: int, first: str = "") -> Iterator[str]:
    """The text in lines of at most so many columns; what is broken goes on below the beginning of the text.

    Args:
        first: what the first line begins with.
    """
    indent = " " * display_width(first)
    for paragraph in text.split("\n"):
        yield from _lines(paragraph.replace("\t", " "), columns, first, indent)
        first = indent


def _lines(text: str, columns: int, first: str, then: str) -> Iterator[str]:
    line, used, begun = first, display_width(first), False
    for piece in _pieces(text, columns - display_width(then)):
        if begun and used + display_width(piece) > columns:
            yield line.rstrip()
            line, used, begun = then, display_width(then), False
        if begun or not piece.isspace():
            line, used, begun = line + piece, used + display_width(piece), True
    yield line.rstrip()


def _pieces(text: str, room: int) -> Iterator[str]:
    """Pieces that are not broken; one that is wider than a line is broken anywhere."""
    for piece in _unbroken(text):
        while display_width(piece) > room > 1:
            cut = _fitting(piece, room)
            yield piece[:cut]
            piece = piece[cut:]  # noqa: PLW2901 - the rest of it
        if piece:
            yield piece


def _unbroken(text: str) -> Iterator[str]:
    """Words with the punctuation that belongs to them, single wide letters, and blanks."""
    begins = 0
    for place, (before, after) in enumerate(pairwise(text), 1):
        if _breaks(before, after):
            yield text[begins:place]
            begins = place
    if text:
        yield text[begins:]


def _breaks(before: str, after: str) -> bool:
    """Whether a line may end between two characters."""
    if before.isspace() or after.isspace():
        return True
    if category(after) in CLOSING_CATEGORIES or category(before) in OPENING_CATEGORIES:
        return False
    return display_width(before) > 1 or display_width(after) > 1


def _fitting(text: str, room: int) -> int:
    """How many characters of a text fit into so many columns; at least one."""
    used = 0
    for count, letter in enumerate(text):
        used += display_width(letter)
        if used > room:
            return max(1, count)
    return len(text)
