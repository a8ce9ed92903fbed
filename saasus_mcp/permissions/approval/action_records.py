"""Decisions of people outside a call. Each is recorded once in the audit log, from the terminal and from the console alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from saasus_mcp.common.person import NOBODY, Person

if TYPE_CHECKING:
    from saasus_mcp.store.records import Approval, HiddenSecret
    from saasus_mcp.store.store import Store

DecidedVia = Literal["terminal", "console", "server", "client"]


class ActionKind(StrEnum):
    """The kind of a decision. The store itself records changes of keys and purges."""

    APPROVE = "approve"
    REJECT = "reject"
    REVEAL = "reveal"
    REVEAL_FAILED = "reveal_failed"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    UNDO = "undo"
    PAUSE = "pause"
    RESUME = "resume"
    TOKEN_CREATE = "token_create"  # noqa: S105 - the name of a kind
    TOKEN_REVOKE = "token_revoke"  # noqa: S105 - the name of a kind
    SIGN_OUT = "sign_out"
    MUTE = "mute"
    UNMUTE = "unmute"
    JOB_CANCEL = "job_cancel"
    POLICY_TAKEN = "policy_taken"
    POLICY_REFUSED = "policy_refused"
    PASSPHRASE_SET = "passphrase_set"  # noqa: S105 - the name of a kind
    PASSPHRASE_CLEARED = "passphrase_cleared"  # noqa: S105 - the name of a kind


@dataclass(frozen=True, slots=True)
class ActionRecord:
    """One decision. Fields that do not apply to its kind are empty.

    Attributes:
        principal: the person who decided.
        via: the channel; `server` if a server applied a change of its operator, `client` if the model decided for the person.
        saas_id: of the SaaS, if known.
        code: of the approval.
        operation, from_call: the operation, and the call whose record mentions it.
        handle: of the revealed secret, never the secret.
        subject: the token, the principal who was signed out, the policy, or the channel of notices.
    """

    kind: ActionKind
    principal: str
    via: DecidedVia
    profile: str = ""
    saas_id: str = ""
    code: str = ""
    operation: str = ""
    from_call: str = ""
    handle: str = ""
    subject: str = ""
    reason: str = ""
    person: Person = NOBODY

    def to_audit(self) -> dict[str, Any]:
        """Return the fields for the audit log."""
        fields = ("principal", "via", "profile", "saas_id", "code", "operation", "from_call", "handle", "subject")
        found = {name: value for name in (*fields, "reason") if (value := getattr(self, name))}
        return {"action": self.kind.value, **found, **self.person.to_audit()}


def action_of(record: Mapping[str, Any]) -> str:
    """Return the action in the record of a decision. Version 0.1.0 wrote it under another key."""
    return str(record.get("action") or record.get("deed", ""))


def record_action(store: Store, decision: ActionRecord, at: float) -> None:
    """Record a decision that changes nothing else in the store. Raise StoreError if the record cannot be written."""
    store.record_decision(decision.to_audit(), at)


def approval_action(
    approval: Approval, kind: ActionKind, *, by: str, via: DecidedVia, reason: str = "", person: Person = NOBODY
) -> ActionRecord:
    place = {"profile": approval.profile, "saas_id": approval.saas_id, "code": approval.code}
    return ActionRecord(kind, by, via, operation=approval.operation, reason=reason, person=person, **place)


def reveal_action(
    hidden: HiddenSecret, kind: ActionKind = ActionKind.REVEAL, *, by: str, via: DecidedVia, person: Person = NOBODY
) -> ActionRecord:
    """Return the record of a revealed secret, or of one that could not be shown."""
    return ActionRecord(
        kind,
        by,
        via,
        profile=hidden.profile,
        handle=hidden.id,
        operation=hidden.operation,
        from_call=hidden.call,
        person=person,
    )
