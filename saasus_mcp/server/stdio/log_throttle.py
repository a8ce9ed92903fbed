"""Holds log lines down that repeat: a client can cause as many as it likes, and standard error may be a pipe that nobody reads."""

from __future__ import annotations

import logging
from collections import Counter

FIRST_LINES = 5
"""Lines of one kind; after these, the tenth, the hundredth, the thousandth."""


class RepeatFilter(logging.Filter):
    """Counts what is told by kind. As a filter of a handler, it holds the SDK's lines down and no others.

    The kinds must be few: they are texts of the programs, never of what a client sent.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen = Counter[str]()

    def count(self, kind: str) -> int | None:
        """Count one more; the number that it is if it is to be told, else None."""
        self._seen[kind] += 1
        count = self._seen[kind]
        return count if count <= FIRST_LINES or count == 10 ** (len(str(count)) - 1) else None

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is told."""
        return record.name.partition(".")[0] != "mcp" or self.count(f"{record.name} {record.msg}") is not None
