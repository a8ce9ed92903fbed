"""What the console works on, and what a person at it can see and do. Knows nothing of HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from saasus_mcp.catalog import Catalogue, Operation, UnknownTool
from saasus_mcp.hosting.console.sessions import Approver
from saasus_mcp.permissions.approvals import Approvals
from saasus_mcp.permissions.case import Case, CasePolicy, Decision, conditional
from saasus_mcp.permissions.handles import Handles
from saasus_mcp.permissions.policy import Principal
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.permissions.seal import Sealer
from saasus_mcp.store import Approval, Freeze

if TYPE_CHECKING:
    from saasus_mcp.store import Store

EVERYONE = "*"
DAY = 24 * 3600
SHOWN_DAYS = 7
"""For which a decided or expired approval is still shown."""
PAGE, LOOKED_AT, AT_ONCE = 50, 5_000, 500
"""Audit records on a page, how many are looked through for one, and how many are read at once."""


@dataclass(frozen=True, slots=True)
class Room:
    """One profile, or on a laptop one store with whatever profiles it serves.

    Attributes:
        name: of the profile, or what tells one store from another.
        groups: who may look into it and decide.
        profile: whose approvals and records are shown; None for those of every profile in the store.
        saas_id: empty where only the store's records say it.
    """

    name: str
    groups: frozenset[str]
    store: Callable[[], Store]
    profile: str | None = None
    saas_id: str = ""
    sandbox: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """An approval and the room it was asked in."""

    room: Room
    approval: Approval


@dataclass(frozen=True, slots=True)
class Looked:
    """Audit records, newest first. `older`: where to look on for more; None where all were looked through."""

    records: list[dict[str, Any]]
    older: int | None


@dataclass(frozen=True, slots=True)
class Written:
    """A policy as it is written. `outdated`: it was edited since, and what is in force is not what it says."""

    text: str
    outdated: bool = False


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that the pages show and do.

    Attributes:
        rooms: those there are now.
        policy: in force; on a laptop, of servers that are started with the same settings.
        profile: of the decisions that are shown where a room has none.
        everything: freezes all stores at once, those to come included, or with None lifts that; None where nobody here may.
    """

    rooms: Callable[[], Sequence[Room]]
    catalogue: Catalogue
    policy: CasePolicy
    written: Callable[[], Written]
    sealer: Sealer
    clock: Callable[[], float]
    profile: str = ""
    everything: Callable[[Freeze | None], None] | None = None

    def mine(self, approver: Approver) -> list[Room]:
        """The rooms that this person may look into."""
        allowed = approver.groups | {EVERYONE}
        return [room for room in self.rooms() if approver.everywhere or room.groups & allowed]

    def asked(self, approver: Approver) -> list[Found]:
        """The approvals in their rooms that wait, or did within the last days, newest first."""
        now = self.clock()
        found = [
            Found(room, each)
            for room in self.mine(approver)
            for each in room.store().approvals(now, since=now - SHOWN_DAYS * DAY)
            if room.profile in (None, each.profile)
        ]
        return sorted(found, key=lambda each: each.approval.requested_at, reverse=True)

    def find(self, approver: Approver, code: str) -> Found | None:
        """The approval with this code, however it was typed and whatever became of it."""
        wanted = code.strip().upper().replace("-", "")
        found = (each for each in self.asked(approver) if each.approval.code.replace("-", "") == wanted)
        return next(found, None)

    def approve(self, approver: Approver, code: str, typed: str) -> None:
        """Say yes by typing the target's name.

        Raises:
            Refused: another name was typed, it takes another person, or it is pending no more.
        """
        found = self._pending(approver, code)
        Approvals(found.room.store()).approve(found.approval, typed, approver.id, self.clock())
        self._note_ruling(approver, found, "approve")

    def reject(self, approver: Approver, code: str, reason: str) -> None:
        """Say no, and why.

        Raises:
            Refused: it is pending no more.
        """
        found = self._pending(approver, code)
        Approvals(found.room.store()).reject(found.approval, approver.id, self.clock(), reason or None)
        self._note_ruling(approver, found, "reject", reason)

    def reveal(self, approver: Approver, handle: str) -> str:
        """The secret behind a handle, once; not without a record that it was.

        Raises:
            Refused: it is unknown, was revealed already, or its time is over.
        """
        for room in self.mine(approver):
            try:
                secret = Handles(room.store(), self.sealer, self.clock).reveal(handle, room.profile)
            except Refused:
                continue
            self._note(room, "reveal", approver)
            return secret
        raise Refused("unknown", "This secret handle is unknown, used up or expired.", "Get it anew.")

    def freeze(self, approver: Approver, room: str, reason: str) -> None:
        """Freeze the writes of one of their rooms and of no other, or where they may and name none, all there are.

        Raises:
            Refused: there is no such room for them.
        """
        freeze = Freeze(self.clock(), approver.id, reason)
        if not room and self.may_freeze_everything(approver) and self.everything is not None:
            self.everything(freeze)
            for each in self.mine(approver):
                self._note(each, "freeze", approver, reason=reason)
            return
        found = self._room(approver, room)
        found.store().freeze(replace(freeze, profile=found.profile or ""))
        self._note(found, "freeze", approver, reason=reason)

    def unfreeze(self, approver: Approver, room: str, profile: str = "") -> None:
        """Lift the freeze of one of their rooms, or where they may and name none, that of everything. Any other stays.

        Args:
            profile: whose freeze it is, in a room that shows several profiles; empty for that of all of them.

        Raises:
            Refused: there is no such room for them.
        """
        if not room and self.may_freeze_everything(approver) and self.everything is not None:
            self.everything(None)
            for each in self.mine(approver):
                each.store().unfreeze()
                self._note(each, "unfreeze", approver)
            return
        found = self._room(approver, room)
        lifted = profile if found.profile is None else found.profile
        found.store().unfreeze(lifted)
        self._note(found, "unfreeze", approver, lifted)

    def may_freeze_everything(self, approver: Approver) -> bool:
        """Whether someone may freeze all stores at once, and lift that."""
        return approver.everywhere and self.everything is not None

    def audit(self, room: Room, wanted: Mapping[str, str], days: float, before: int | None) -> Looked:
        """The newest records that fit; `wanted` holds fields and what they must contain."""
        fit: list[dict[str, Any]] = []
        since, last = self.clock() - days * DAY, 0
        for looked, (number, record) in enumerate(_newest(room.store(), before)):
            if record["at"] < since:
                return Looked(fit, None)
            if len(fit) == PAGE or looked == LOOKED_AT:
                return Looked(fit, last)
            last = number
            if room.profile in (None, record.get("profile")) and _fits(record, wanted):
                fit.append(record)
        return Looked(fit, None)

    def decisions(self, principal: Principal, room: Room | None) -> list[tuple[Operation, Decision, bool]]:
        """What the policy says of every operation for someone, and whether that hangs on more than is known here."""
        profile = (room and room.profile) or self.profile
        decided = []
        for each in self.catalogue:
            case = Case(each, {}, principal, profile)
            decided.append((each, self.policy.decide(case), conditional(self.policy.explain(case))))
        return decided

    def title(self, key: str, language: str) -> str:
        """What an operation is called; its key where this version does not know it."""
        operation = self.operation(key)
        return operation.title.get("ja" if language == "ja" else "en") if operation else key

    def operation(self, key: str) -> Operation | None:
        """The operation with this key; None where this version does not know it."""
        try:
            return self.catalogue.find(key)
        except UnknownTool:
            return None

    def _pending(self, approver: Approver, code: str) -> Found:
        found = self.find(approver, code)
        if found is None or found.approval.status != "pending":
            raise Refused("unknown", "No approval with this code is pending.", "It may have expired or been decided.")
        return found

    def _room(self, approver: Approver, name: str) -> Room:
        found = next((room for room in self.mine(approver) if room.name == name), None)
        if found is None:
            raise Refused("unknown", "There is no such profile.", "Choose one that is shown.")
        return found

    def _note_ruling(self, approver: Approver, found: Found, deed: str, reason: str = "") -> None:
        asked = found.approval
        self._note(found.room, deed, approver, asked.profile, code=asked.code, operation=asked.operation, reason=reason)

    def _note(self, room: Room, deed: str, approver: Approver, profile: str = "", **told: str) -> None:
        """Put what a person did into the audit."""
        known = {name: value for name, value in told.items() if value}
        place = {"profile": profile or room.profile or "", "via": "console"}
        room.store().decided(deed, {"principal": approver.id, **place, **known}, self.clock())


def _newest(store: Store, before: int | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Records, newest first, read piece by piece."""
    while True:
        found = store.trail.newest(AT_ONCE, before)
        yield from found
        if len(found) < AT_ONCE:
            return
        before = found[-1][0]


def _fits(record: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    return all(value.casefold() in str(record.get(name, "")).casefold() for name, value in wanted.items())
