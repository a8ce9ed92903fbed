"""How long things are kept."""

from __future__ import annotations

HOUR = 3600
DAY = 24 * HOUR
AUDIT_DAYS, UNDO_LOG_DAYS = 365, 30
"""Of the audit nothing goes by itself: it is what a purge keeps where it is not told otherwise."""
