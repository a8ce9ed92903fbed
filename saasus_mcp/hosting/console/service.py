"""What the console works on, and what a person at it can see and do. Knows nothing of HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from saasus_mcp.catalog import Catalogue, Operation, UnknownTool
from saasus_mcp.hosting.console.signin_sessions import Approver
from saasus_mcp.permissions.approval.action_records import ActionKind, ActionRecord, record_action
from saasus_mcp.permissions.approval.approvals import ApprovalService
from saasus_mcp.permissions.policy.model import Decision, Policy, PolicyInput, is_conditional
from saasus_mcp.permissions.policy.presets import Principal
from saasus_mcp.permissions.question import stored_question
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.permissions.secrets.secret_vault import SecretVault
from saasus_mcp.store import Approval, Freeze

if TYPE_CHECKING:
    from saasus_mcp.store import Store
    from saasus_mcp.store.audit.log import RecordPosition

EVERYONE = "*"
DAY_SECONDS = 24 * 3600
HISTORY_DAYS = 7
"""For which a decided or expired approval is still shown."""
PAGE_SIZE, SCAN_LIMIT, BATCH_SIZE = 50, 5_000, 500
"""Audit records on a page, how many are looked through for one, and how many are read at once."""
PAGE_BYTES = 256 * 1024
"""After which a page of the audit ends, however few its records are."""
COMMON_CONTEXT = "decisions"
"""The name of the room in which the decisions that concern every SaaS are seen."""


@dataclass(frozen=True, slots=True)
class ProfileContext:
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
class ListedApproval:
    """An approval and the room it was asked in."""

    context: ProfileContext
    approval: Approval


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Audit records, newest first. `older`: where to look on for more; None where all were looked through."""

    records: list[dict[str, Any]]
    next_cursor: RecordPosition | None


@dataclass(frozen=True, slots=True)
class PolicyText:
    """A policy as it is written. `outdated`: it was edited since, and what is in force is not what it says."""

    text: str
    outdated: bool = False


@dataclass(frozen=True, slots=True)
class ConsoleService:
    """Everything that the pages show and do.

    Attributes:
        rooms: those there are now.
        policy: in force; on a laptop, of servers that are started with the same settings.
        profile: of the decisions that are shown where a room has none.
        everything: freezes all stores at once, those to come included, or with None lifts that; None where nobody here may.
        common: the store of the decisions that concern every SaaS; None where they are recorded in each room.
    """

    list_contexts: Callable[[], Sequence[ProfileContext]]
    catalogue: Catalogue
    policy: Policy
    read_policy: Callable[[], PolicyText]
    sealer: Encryptor
    clock: Callable[[], float]
    profile: str = ""
    freeze_all: Callable[[Freeze | None], None] | None = None
    common_store: Callable[[], Store] | None = None

    def contexts_of(self, approver: Approver) -> list[ProfileContext]:
        """The rooms that this person may look into."""
        allowed = approver.groups | {EVERYONE}
        return [room for room in self.list_contexts() if approver.is_owner or room.groups & allowed]

    def list_approvals(self, approver: Approver) -> list[ListedApproval]:
        """The approvals in their rooms that wait, or did within the last days, newest first."""
        now = self.clock()
        found = [
            ListedApproval(room, each)
            for room in self.contexts_of(approver)
            for each in room.store().list_approvals(now, since=now - HISTORY_DAYS * DAY_SECONDS)
            if room.profile in (None, each.profile)
        ]
        return sorted(found, key=lambda each: each.approval.requested_at, reverse=True)

    def find_approval(self, approver: Approver, code: str) -> ListedApproval | None:
        """The approval with this code, however it was typed and whatever became of it."""
        wanted = code.strip().upper().replace("-", "")
        found = (each for each in self.list_approvals(approver) if each.approval.code.replace("-", "") == wanted)
        return next(found, None)

    def approve(self, approver: Approver, code: str, typed: str) -> None:
        """Say yes by typing the target's name.

        Raises:
            Refused: another name was typed, it takes another person, it is pending no more, or it cannot be shown.
        """
        found = self._pending(approver, code)
        if not stored_question.is_readable(found.approval, "en"):
            raise CallRefused(Reason.UNREADABLE, "Another version asked for this.", "Reject it.")
        ApprovalService(found.context.store()).approve(found.approval, typed, approver.id, self.clock(), via="console")

    def reject(self, approver: Approver, code: str, reason: str) -> None:
        """Say no, and why.

        Raises:
            Refused: it is pending no more.
        """
        found = self._pending(approver, code)
        approvals = ApprovalService(found.context.store())
        approvals.reject(found.approval, approver.id, self.clock(), reason or None, via="console")

    def reveal(self, approver: Approver, handle: str) -> str:
        """The secret behind a handle, once; not without a record that it was.

        Raises:
            Refused: it is unknown, was revealed already, or its time is over.
        """
        for room in self.contexts_of(approver):
            try:
                handles = SecretVault(room.store(), self.sealer, self.clock)
                return handles.reveal(handle, room.profile, by=approver.id, via="console")
            except CallRefused:
                continue
        raise CallRefused(
            Reason.UNKNOWN, "This secret handle is unknown, already used or expired.", "Request a new one."
        )

    def freeze(self, approver: Approver, room: str, reason: str) -> None:
        """Freeze the writes of one of their rooms and of no other, or where they may and name none, all there are.

        The freeze goes first: what cannot be recorded is frozen all the same.

        Raises:
            Refused: there is no such room for them.
        """
        freeze = Freeze(self.clock(), approver.id, reason)
        if not room and self.may_freeze_all(approver) and self.freeze_all is not None:
            self.freeze_all(freeze)
            self._record_for_all(approver, ActionKind.FREEZE, reason)
            return
        found = self._room(approver, room)
        found.store().freeze(replace(freeze, profile=found.profile or ""))
        self._record(found, approver, ActionKind.FREEZE, reason=reason)

    def unfreeze(self, approver: Approver, room: str, profile: str = "") -> None:
        """Lift the freeze of one of their rooms, or where they may and name none, that of everything. Any other stays.

        The record goes first: what cannot be recorded stays frozen.

        Args:
            profile: whose freeze it is, in a room that shows several profiles; empty for that of all of them.

        Raises:
            Refused: there is no such room for them.
        """
        if not room and self.may_freeze_all(approver) and self.freeze_all is not None:
            self._record_for_all(approver, ActionKind.UNFREEZE)
            self.freeze_all(None)
            for each in self.contexts_of(approver):
                each.store().unfreeze()
            return
        found = self._room(approver, room)
        lifted = profile if found.profile is None else found.profile
        self._record(found, approver, ActionKind.UNFREEZE, profile=lifted)
        found.store().unfreeze(lifted)

    def may_freeze_all(self, approver: Approver) -> bool:
        """Whether someone may freeze all stores at once, and lift that."""
        return approver.is_owner and self.freeze_all is not None

    def audit_contexts(self, approver: Approver) -> list[ProfileContext]:
        """The rooms whose audit this person may see: theirs, and for the owner of the machine that of every SaaS at once."""
        rooms = self.contexts_of(approver)
        if self.common_store is None or not approver.is_owner:
            return rooms
        return [*rooms, ProfileContext(COMMON_CONTEXT, frozenset(), self.common_store)]

    def search_audit(
        self, room: ProfileContext, wanted: Mapping[str, str], days: float, before: RecordPosition | None
    ) -> AuditPage:
        """The newest records that fit; `wanted` holds fields and what they must contain."""
        fit: list[dict[str, Any]] = []
        since, last, size = self.clock() - days * DAY_SECONDS, before, 0
        for looked, (place, found) in enumerate(_newest(room.store(), before)):
            if found["at"] < since:
                return AuditPage(fit, None)
            if len(fit) == PAGE_SIZE or looked == SCAN_LIMIT or size > PAGE_BYTES:
                return AuditPage(fit, last)
            last = place
            if room.profile in (None, found.get("profile")) and _fits(found, wanted):
                fit.append(found)
                size += len(json.dumps(found, default=str))
        return AuditPage(fit, None)

    def list_decisions(
        self, principal: Principal, room: ProfileContext | None
    ) -> list[tuple[Operation, Decision, bool]]:
        """What the policy says of every operation for someone, and whether that hangs on more than is known here."""
        profile = (room and room.profile) or self.profile
        decided = []
        for each in self.catalogue:
            case = PolicyInput(each, {}, principal, profile)
            decided.append((each, self.policy.decide(case), is_conditional(self.policy.explain(case))))
        return decided

    def operation_title(self, key: str, language: str) -> str:
        """What an operation is called; its key where this version does not know it."""
        operation = self.find_operation(key)
        return operation.title.text("ja" if language == "ja" else "en") if operation else key

    def find_operation(self, key: str) -> Operation | None:
        """The operation with this key; None where this version does not know it."""
        try:
            return self.catalogue.find(key)
        except UnknownTool:
            return None

    def _pending(self, approver: Approver, code: str) -> ListedApproval:
        found = self.find_approval(approver, code)
        if found is None or found.approval.status != "pending":
            raise CallRefused(
                Reason.UNKNOWN, "No approval with this code is pending.", "It may have expired or been decided."
            )
        return found

    def _room(self, approver: Approver, name: str) -> ProfileContext:
        found = next((room for room in self.contexts_of(approver) if room.name == name), None)
        if found is None:
            raise CallRefused(Reason.UNKNOWN, "There is no such profile.", "Choose one that is shown.")
        return found

    def _record_for_all(self, approver: Approver, kind: ActionKind, reason: str = "") -> None:
        """Record a decision on every SaaS: once where there is a store for such, else in each room."""
        if self.common_store is not None:
            record_action(self.common_store(), ActionRecord(kind, approver.id, "console", reason=reason), self.clock())
            return
        for room in self.contexts_of(approver):
            self._record(room, approver, kind, reason=reason)

    def _record(
        self, room: ProfileContext, approver: Approver, kind: ActionKind, *, profile: str = "", reason: str = ""
    ) -> None:
        """Record a decision on a room in its audit."""
        place = {"profile": profile or room.profile or "", "saas_id": room.saas_id}
        record_action(room.store(), ActionRecord(kind, approver.id, "console", reason=reason, **place), self.clock())


def _newest(store: Store, before: RecordPosition | None) -> Iterator[tuple[RecordPosition, dict[str, Any]]]:
    """Records, newest first, read piece by piece."""
    while True:
        found = store.audit_log.newest_records(BATCH_SIZE, before)
        yield from found
        if len(found) < BATCH_SIZE:
            return
        before = found[-1][0]


def _fits(record: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    return all(value.casefold() in str(record.get(name, "")).casefold() for name, value in wanted.items())
