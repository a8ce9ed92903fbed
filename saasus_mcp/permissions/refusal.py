"""The refusal of a call, with its reason."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Message, Parameter, message

if TYPE_CHECKING:
    from saasus_mcp.permissions.approval.awaited import AwaitedApproval


class Reason(StrEnum):
    """Why a call was not sent. Audit records, metrics and `_meta` carry the value."""

    APPROVAL = "approval"
    """The call waits for an approval outside the client."""
    BUSY = "busy"
    """The caller has too many calls in progress."""
    CHANGED = "changed"
    """The target changed after the person was asked, or after the call that is to be undone."""
    CLIENT_CANCEL = "client_cancel"
    """The client cancelled the question."""
    CLIENT_FAILED = "client_failed"
    """The client could not ask the question."""
    DECLINED = "declined"
    """The person declined, or typed another name."""
    DENIED = "denied"
    """The policy denies the call."""
    EXPIRED = "expired"
    """The question or the approval expired."""
    FAST_NO = "fast_no"
    """The answer came faster than a person can read."""
    FLOODED = "flooded"
    """The caller has too many pending approvals."""
    LATE = "late"
    """The time of the call was over before it was sent."""
    NARROWED = "narrowed"
    """The connection or the server does not offer this tool."""
    NO_CHANGE = "no_change"
    """The call would change nothing."""
    NOT_FOUND = "not_found"
    """The target does not exist."""
    PRECONDITION = "precondition"
    """A documented precondition is not met."""
    REJECTED = "rejected"
    """An approver rejected the call."""
    REVOKED = "revoked"
    """The caller's token was revoked while the call waited, or its job ran."""
    STORE = "store"
    """The store that decides on the call cannot be read."""
    STRICTER = "stricter"
    """The policy became stricter after the job was approved, or while the call waited to be sent."""
    TOO_LARGE = "too_large"
    """The question is too large to store."""
    TWO_PERSON = "two_person"
    """Another person must approve."""
    UNASKED = "unasked"
    """The answer does not belong to a question of this call."""
    UNDO_ELSEWHERE = "undo_elsewhere"
    """The change was made in another profile."""
    UNDO_NONE = "undo_none"
    """No call undoes the change."""
    UNDO_OTHERS = "undo_others"
    """Another principal made the change."""
    UNDONE = "undone"
    """The change was already undone."""
    UNFOUNDED = "unfounded"
    """An argument does not match the result of the earlier step."""
    UNKNOWN = "unknown"
    """The approval, secret handle or profile does not exist, or is no longer valid."""
    UNREADABLE = "unreadable"
    """Another version of the program stored the question."""
    UNSEEN = "unseen"
    """The state that is to be compared cannot be read."""


class CallRefused(SaasusMcpError):
    """The call may not happen, or not yet. Nothing was sent."""

    def __init__(
        self,
        reason: Reason,
        message: Message,
        hint: Message | None = None,
        *,
        awaited: AwaitedApproval | None = None,
    ) -> None:
        super().__init__(message, hint)
        self.reason = reason
        self.awaited = awaited

    @classmethod
    def because(cls, reason: Reason, id: str, /, **params: Parameter) -> Self:
        """Return the refusal with the message `id` and the hint `<id>_hint`, which has no parameters."""
        return cls(reason, message(id, **params), message(f"{id}_hint"))

    @property
    def app_data(self) -> dict[str, Any]:
        """What an app shows of the refusal: the approval that the call waits for."""
        return {} if self.awaited is None else {"approval": self.awaited.to_json()}
