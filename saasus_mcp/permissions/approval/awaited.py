"""An approval that a call waits for, as a person may see it beside the refusal. It has no authority."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from saasus_mcp.common.language import Text
from saasus_mcp.store.records import Approval


@dataclass(frozen=True, slots=True)
class AwaitedApproval:
    """An approval, and where a person decides on it.

    Attributes:
        question: what the person is asked, without what this caller may not read.
        url: the page of the console, or an empty text without a console.
        in_terminal: whether a command can decide on it too.
    """

    approval: Approval
    question: Text
    url: str
    in_terminal: bool

    def to_json(self) -> dict[str, Any]:
        """Return the approval with its question, for an app."""
        command = {"command": f"saasus-mcp approve {self.approval.code}"} if self.in_terminal else {}
        question = {"en": self.question.en, "ja": self.question.ja}
        return {**approval_state(self.approval), "question": question, "url": self.url, **command}


def approval_state(approval: Approval) -> dict[str, Any]:
    """Return what changes while an approval waits. Only a rejection has a comment, which the refusal repeats as well."""
    state = {
        "code": approval.code,
        "status": approval.status,
        "requested_at": approval.requested_at,
        "expires_at": approval.expires_at,
        "two_person": approval.two_person,
    }
    is_rejected = approval.status == "rejected"
    return {**state, "comment": approval.reason or "", "retry_at": approval.retry_at} if is_rejected else state
