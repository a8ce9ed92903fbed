"""Whether a call changed something."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """The end of a call, as answers, the audit log and the store record it."""

    APPLIED = "applied"
    NOT_APPLIED = "not_applied"
    UNKNOWN = "unknown"
    PARTLY = "partly"
    """Of a job alone: some of its calls were applied, and others were not."""
