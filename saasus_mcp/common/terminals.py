"""Whether a person started this process in a terminal."""

from __future__ import annotations

import sys


def in_terminal() -> bool:
    """Return whether standard input is a terminal. Closing it sends SIGHUP, which must not reload and go on."""
    return sys.stdin is not None and sys.stdin.isatty()
