"""What the console works on, and what a person at it can see and do. Knows nothing of HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from saasus_mcp.catalog import Catalogue, Operation, UnknownTool
from saasus_mcp.hosting.console.sessions import Approver
from saasus_mcp.permissions.approvals import Approvals
from saasus_mcp.permissions.case import Case, CasePolicy, Decision
from saasus_mcp.permissions.handles import Handles
from saasus_mcp.permissions.policy import Principal
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.permissions.seal import Sealer
from saasus_mcp.store import Approval, Freeze

if TYPE_CHECKING:
    from saasus_mcp.store import Store

EVERYONE = "*"
DAY = 24 * 3600
MOST_RECORDS = 200


@dataclass(frozen=True, slots=True)
class Room:
    """One profile, or on a laptop one store with whatever profiles it serves.

    Attributes:
        name: of the profile, or what tells one store from another.
        groups: who may look into it and decide.
        profile: whose approvals are shown; None for those of every profile in the store.
    """

    name: str
    groups: frozenset[str]
    store: Callable[[], Store]
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """An approval and the room it was asked in."""

    room: Room
    approval: Approval


@dataclass(frozen=True, slots=True)
class Looked:
    """Audit records, newest first; `more` where there are older ones that fit."""

    records: list[dict[str, Any]]
    more: bool


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that the pages show and do.

    Attributes:
        policy_text: the policy in force, as its file says it.
    """

    rooms: Mapping[str, Room]
    catalogue: Catalogue
    policy: CasePolicy
    policy_text: Callable[[], str]
    sealer: Sealer
    clock: Callable[[], float]

    def mine(self, approver: Approver) -> list[Room]:
        """The rooms that this person may look into."""
        allowed = approver.groups | {EVERYONE}
        return [room for room in self.rooms.values() if approver.everywhere or room.groups & allowed]

    def asked(self, approver: Approver) -> list[Found]:
        """Every approval in their rooms, newest first."""
        now = self.clock()
        found = [Found(room, each) for room in self.mine(approver) for each in Approvals(room.store()).all(now)]
        own = [each for each in found if each.room.profile in (None, each.approval.profile)]
        return sorted(own, key=lambda each: each.approval.requested_at, reverse=True)

    def find(self, approver: Approver, code: str) -> Found | None:
        """The approval with this code, whatever became of it."""
        return next((found for found in self.asked(approver) if found.approval.code == code.strip().upper()), None)

    def approve(self, approver: Approver, code: str, typed: str) -> None:
        """Say yes by typing the target's name.

        Raises:
            Refused: another name was typed, it takes another person, or it is pending no more.
        """
        found = self._pending(approver, code)
        Approvals(found.room.store()).approve(found.approval, typed, approver.id, self.clock())

    def reject(self, approver: Approver, code: str, reason: str) -> None:
        """Say no, and why.

        Raises:
            Refused: it is pending no more.
        """
        found = self._pending(approver, code)
        Approvals(found.room.store()).reject(found.approval, approver.id, self.clock(), reason or None)

    def reveal(self, approver: Approver, handle: str) -> str:
        """The secret behind a handle, once.

        Raises:
            Refused: it is unknown, was revealed already, or its time is over.
        """
        for room in self.mine(approver):
            try:
                return Handles(room.store(), self.sealer, self.clock).reveal(handle)
            except Refused:
                continue
        raise Refused("unknown", "This secret handle is unknown, used up or expired.", "Get it anew.")

    def freeze(self, approver: Approver, reason: str) -> None:
        """Hold every write of their rooms back."""
        for room in self.mine(approver):
            room.store().freeze(Freeze(self.clock(), approver.id, reason))

    def unfreeze(self, approver: Approver) -> None:
        """Let writes go again."""
        for room in self.mine(approver):
            room.store().freeze(None)

    def audit(self, room: Room, wanted: Mapping[str, str], days: float) -> Looked:
        """The newest records that fit; `wanted` holds fields and their values, empty ones left out."""
        records = room.store().trail.records(self.clock() - days * DAY)
        fit = [
            record
            for record in reversed(records)
            if all(not value or value in str(record.get(name, "")) for name, value in wanted.items())
        ]
        return Looked(fit[:MOST_RECORDS], len(fit) > MOST_RECORDS)

    def decisions(self, principal: Principal, profile: str) -> list[tuple[Operation, Decision]]:
        """What the policy says of every operation for someone, as far as the call's arguments play no part."""
        return [(each, self.policy.decide(Case(each, {}, principal, profile))) for each in self.catalogue]

    def title(self, key: str, language: str) -> str:
        """What an operation is called; its key where this version does not know it."""
        try:
            return self.catalogue.find(key).title.get("ja" if language == "ja" else "en")
        except UnknownTool:
            return key

    def _pending(self, approver: Approver, code: str) -> Found:
        found = self.find(approver, code)
        if found is None or found.approval.status != "pending":
            raise Refused("unknown", "No approval with this code is pending.", "It may have expired or been decided.")
        return found
