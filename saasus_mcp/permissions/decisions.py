"""What people decide outside a call, each recorded once in the audit, alike from the terminal and from the console."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from saasus_mcp.store import HiddenSecret

if TYPE_CHECKING:
    from saasus_mcp.store import Approval, Store

Via = Literal["terminal", "console", "server"]


class Kind(StrEnum):
    """What was decided. A change of the key and a purge are recorded by the store itself (store.trail)."""

    APPROVE = "approve"
    REJECT = "reject"
    REVEAL = "reveal"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    UNDO = "undo"
    TOKEN_CREATE = "token_create"  # noqa: S105 - the name of a kind
    TOKEN_REVOKE = "token_revoke"  # noqa: S105 - the name of a kind
    SIGN_OUT = "sign_out"
    POLICY_TAKEN = "policy_taken"
    POLICY_REFUSED = "policy_refused"
    PASSPHRASE_SET = "passphrase_set"  # noqa: S105 - the name of a kind
    PASSPHRASE_CLEARED = "passphrase_cleared"  # noqa: S105 - the name of a kind


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """One decision. What does not apply to its kind is empty.

    Attributes:
        principal: who decided.
        via: where; `server` where a server carries out what its operator changed.
        saas_id: of the SaaS concerned, where that is known.
        code: of the approval.
        operation, from_call: what it concerns, and the call in whose record it is found.
        handle: of the secret that was revealed, never the secret.
        subject: the token, the principal signed out, or the policy.
    """

    kind: Kind
    principal: str
    via: Via
    profile: str = ""
    saas_id: str = ""
    code: str = ""
    operation: str = ""
    from_call: str = ""
    handle: str = ""
    subject: str = ""
    reason: str = ""

    def told(self) -> dict[str, Any]:
        """As the audit has it."""
        fields = ("principal", "via", "profile", "saas_id", "code", "operation", "from_call", "handle", "subject")
        found = {name: value for name in (*fields, "reason") if (value := getattr(self, name))}
        return {"deed": self.kind.value, **found}


def record(store: Store, decision: DecisionRecord, at: float) -> None:
    """Record a decision that nothing else in the store goes with.

    Raises:
        StoreError: it cannot be recorded.
    """
    store.decided(decision.told(), at)


def ruling(approval: Approval, kind: Kind, *, by: str, via: Via, reason: str = "") -> DecisionRecord:
    """The decision on an approval."""
    place = {"profile": approval.profile, "saas_id": approval.saas_id, "code": approval.code}
    return DecisionRecord(kind, by, via, operation=approval.operation, reason=reason, **place)


def revealing(hidden: HiddenSecret, *, by: str, via: Via) -> DecisionRecord:
    """The decision to see a hidden secret."""
    came = {"operation": hidden.operation, "from_call": hidden.call}
    return DecisionRecord(Kind.REVEAL, by, via, profile=hidden.profile, handle=hidden.id, **came)
