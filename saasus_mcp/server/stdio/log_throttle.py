"""A limit on repeated log lines: a client can cause any number of them, and standard error may be a pipe without a reader."""

from __future__ import annotations

import logging
from collections import Counter

FIRST_LINES = 5
"""Lines of one kind that are written, before only the tenth, the hundredth and so on."""


class RepeatFilter(logging.Filter):
    """Counts log lines by kind. As a filter of a handler, it drops repeated lines of the SDK and no others.

    There must be few kinds: texts of the program, never of a client.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen = Counter[str]()

    def count(self, kind: str) -> int | None:
        """Count one more line. Return its number if it is to be written, else None."""
        self._seen[kind] += 1
        count = self._seen[kind]
        return count if count <= FIRST_LINES or count == 10 ** (len(str(count)) - 1) else None

    def filter(self, record: logging.LogRecord) -> bool:
        return record.name.partition(".")[0] != "mcp" or self.count(f"{record.name} {record.msg}") is not None
