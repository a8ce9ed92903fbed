"""Whether the person at the terminal wants no colours (https://no-color.org)."""

from __future__ import annotations

import os


def colours_disabled() -> bool:
    """Whether `NO_COLOR` is set to anything, or the terminal is one that cannot show colours."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
