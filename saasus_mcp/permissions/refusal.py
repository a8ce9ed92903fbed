"""The call may not happen, or not yet."""

from __future__ import annotations

from saasus_mcp.errors import SaasusMcpError


class Refused(SaasusMcpError):
    """Nothing was sent.

    Attributes:
        why: a word for the audit: denied, narrowed, declined, client_cancel, fast_no, client_failed, unasked, expired, approval,
            two_person, rejected, flooded, late, not_found, precondition, no_change.
    """

    def __init__(self, why: str, message: str, mend: str = "") -> None:
        super().__init__(message, mend)
        self.why = why
