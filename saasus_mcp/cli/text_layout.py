"""Text in the columns of a terminal. East Asian letters are two columns wide, and lines can break between them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from itertools import pairwise
from unicodedata import category

from saasus_mcp.common.text import display_width

MAX_COLUMNS, MIN_COLUMNS = 100, 40
"""Columns used of a terminal: longer lines are hard to read, and fewer columns leave no room for a layout."""
CODE = re.compile(r"`[^`\n]+`")
"""A command in a text. It stays on one line if it fits there, so that it can be copied."""
BEGINNING = re.compile(r" *(?:-> |\S+(?: \S+)* {2,})?")
"""The indentation of a line, with its arrow, or with the name before a gap in a list of names and texts."""
STYLE = re.compile(r"\x1b\[[0-9;]*m")
"""The beginning or the end of a colour, which takes no columns."""
OPENING_CATEGORIES, CLOSING_CATEGORIES = frozenset({"Ps", "Pi"}), frozenset({"Pe", "Pf", "Po"})
"""Unicode categories of brackets and punctuation, which stay with the word that they belong to."""


def terminal_columns() -> int:
    """Return the columns to use on this terminal."""
    return max(MIN_COLUMNS, min(MAX_COLUMNS, shutil.get_terminal_size().columns))


def cut_text(text: str, columns: int) -> str:
    """Return the text in at most `columns`, with a mark where it was cut."""
    if display_width(text) <= columns:
        return text
    return text[: _count_fitting(text, columns - 1)].rstrip() + "…" if columns > 1 else ""


def wrap_prose(text: str, columns: int) -> str:
    """Return the text in lines of at most `columns`. What is broken goes on below its beginning, after a name if it has one.

    A word that is wider than a line, such as a path, stays whole, so that it can be copied from the terminal.
    """
    return "\n".join(part for line in text.split("\n") for part in _wrap_line(line, columns))


def _wrap_line(line: str, columns: int) -> Iterator[str]:
    plain = STYLE.sub("", line)
    if display_width(plain) <= columns:
        yield line
        return
    found = BEGINNING.match(plain)
    begin = found[0] if found else ""
    if display_width(begin) > columns // 2:
        begin = begin[: len(begin) - len(begin.lstrip(" "))]
    indent = " " * display_width(begin)
    words = _words(plain[len(begin) :], columns - len(indent))
    first, *rest = _restore_styles([begin, *words], line)
    yield from _lines(rest, columns, first, indent)


def _restore_styles(parts: Iterable[str], styled: str) -> Iterator[str]:
    """Yield the parts of a text with the colours that the whole has, each before the letter that it stands before."""
    place = 0
    for part in parts:
        begin = place
        for _ in part:
            while found := STYLE.match(styled, place):
                place = found.end()
            place += 1
        yield styled[begin:place]
    yield styled[place:]


def wrap_text(text: str, columns: int, first: str = "") -> Iterator[str]:
    """Yield the text in lines of at most `columns`. Further lines are indented by the width of `first`.

    Args:
        first: the beginning of the first line.
    """
    indent = " " * display_width(first)
    for paragraph in text.split("\n"):
        pieces = _pieces(paragraph.replace("\t", " "), columns - display_width(indent))
        yield from _lines(pieces, columns, first, indent)
        first = indent


def _lines(pieces: Iterable[str], columns: int, first: str, then: str) -> Iterator[str]:
    line, used, started = first, _count_columns(first), False
    for piece in pieces:
        if started and used + _count_columns(piece) > columns:
            yield line.rstrip()
            line, used, started = then, display_width(then), False
        if started or STYLE.sub("", piece).strip():
            line, used, started = line + piece, used + _count_columns(piece), True
        else:  # a line begins without blanks, but with their colour
            line += "".join(STYLE.findall(piece))
    yield line.rstrip()


def _count_columns(styled: str) -> int:
    return display_width(STYLE.sub("", styled))


def _pieces(text: str, room: int) -> Iterator[str]:
    """Yield pieces that stay whole. A piece that is wider than a line is split anywhere."""
    for piece in _words(text, room):
        while display_width(piece) > room > 1:
            cut = _count_fitting(piece, room)
            yield piece[:cut]
            piece = piece[cut:]  # noqa: PLW2901 - the rest of the piece
        if piece:
            yield piece


def _words(text: str, room: int) -> Iterator[str]:
    """Yield words with their punctuation, single wide letters, blanks, and commands that fit into the room."""
    start, whole = 0, set[int]()
    for found in CODE.finditer(text):
        if display_width(found[0]) <= room:
            whole.update(range(found.start() + 1, found.end()))
    for place, (before, after) in enumerate(pairwise(text), 1):
        if place not in whole and _can_break(before, after):
            yield text[start:place]
            start = place
    if text:
        yield text[start:]


def _can_break(before: str, after: str) -> bool:
    """Return True if a line may end between two characters."""
    if before.isspace() or after.isspace():
        return True
    if category(after) in CLOSING_CATEGORIES or category(before) in OPENING_CATEGORIES:
        return False
    return display_width(before) > 1 or display_width(after) > 1


def _count_fitting(text: str, room: int) -> int:
    """Return how many characters of a text fit into the columns, at least one."""
    used = 0
    for count, letter in enumerate(text):
        used += display_width(letter)
        if used > room:
            return max(1, count)
    return len(text)
