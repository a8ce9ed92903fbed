"""Approvals and used confirmations: a person's consent, each of which can be used once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from saasus_mcp.common.messages import message
from saasus_mcp.store.audit.log import AuditLog
from saasus_mcp.store.database.engine import Database, clock_range
from saasus_mcp.store.database.locks import acquire_lock
from saasus_mcp.store.database.schema import approvals, confirmations, covered_calls
from saasus_mcp.store.errors import AlreadyUsed, StoreError
from saasus_mcp.store.notices import add_event, approval_event, decision_event
from saasus_mcp.store.records import CLOCK_TOLERANCE, Approval, ApprovalStatus, ProofUse

_COLUMNS = tuple(column.name for column in approvals.columns)
_LIVE_STATUSES: tuple[ApprovalStatus, ...] = ("pending", "approved")
_LIVE = approvals.c.status.in_(_LIVE_STATUSES)
_begun = func.coalesce(approvals.c.decided_at, approvals.c.requested_at)


class ApprovalStore:
    """The approvals of one SaaS."""

    _database: Database
    audit_log: AuditLog

    def request_approval(self, wanted: Approval, most_pending: int, covered: Collection[str] = ()) -> Approval | None:
        """Return the approval that applies to a request.

        This is the live approval of the same call, else a rejection of the call or a variation of it until `retry_at`, else
        `wanted`, stored as pending. None if the principal has `most_pending` pending approvals.

        Args:
            covered: the subjects of the calls of a list. A rejection of the list covers each of them.
        """
        with self._database.transaction() as connection:
            acquire_lock(connection, "approvals", wanted.principal)
            end_outdated(connection, wanted.requested_at, approvals.c.principal == wanted.principal)
            current = _is_current(wanted.requested_at)
            same = (approvals.c.binding == wanted.binding, _LIVE, current)
            live = connection.execute(select(approvals).where(*same).order_by(approvals.c.requested_at.desc())).first()
            if live is not None:
                return Approval(**live._asdict())
            if (rejected := _find_rejected(connection, wanted.subject, wanted.requested_at)) is not None:
                return rejected
            own = (approvals.c.principal == wanted.principal, approvals.c.status == "pending", current)
            pending = connection.execute(select(func.count()).select_from(approvals).where(*own)).scalar_one()
            if pending >= most_pending:
                return None
            connection.execute(insert(approvals).values(**{name: getattr(wanted, name) for name in _COLUMNS}))
            if covered:
                parts = [{"code": wanted.code, "subject": each} for each in dict.fromkeys(covered)]
                connection.execute(insert(covered_calls), parts)
            event = approval_event(wanted.code, wanted.profile, "approval_requested", wanted.requested_at)
            add_event(connection, event)
            return wanted

    def list_approvals(self, now: float, binding: str | None = None, *, since: float = 0.0) -> list[Approval]:
        """Return all approvals, or those of one binding, newest first. An expired one has the status stale.

        Args:
            since: omit approvals that expired before.
        """
        query = select(approvals).where(approvals.c.expires_at > since).order_by(approvals.c.requested_at.desc())
        rows = self._database.rows(query if binding is None else query.where(approvals.c.binding == binding))
        return self._with_current_status([Approval(**row._asdict()) for row in rows], now)

    def find_approval(self, code: str, now: float) -> Approval | None:
        """Return the approval with this code. An expired one has the status stale."""
        row = self._database.row(select(approvals).where(approvals.c.code == code))
        return self._with_current_status([Approval(**row._asdict())], now)[0] if row is not None else None

    def find_rejected(self, subject: str, now: float) -> Approval | None:
        """Return the rejection of a call or a variation of it, until its `retry_at`."""
        with self._database.read_transaction(long_running=False) as connection:
            return _find_rejected(connection, subject, now)

    def list_rejected(self, principal: str, now: float) -> dict[str, Approval]:
        """Return the rejections of a principal's calls that hold until their `retry_at`, by the subject of each call."""
        own = (approvals.c.principal == principal, approvals.c.status == "rejected", approvals.c.retry_at > now)
        parts = select(approvals, covered_calls.c.subject.label("part")).outerjoin(
            covered_calls, covered_calls.c.code == approvals.c.code
        )
        found: dict[str, Approval] = {}
        with self._database.read_transaction(long_running=False) as connection:
            for row in connection.execute(parts.where(*own)):
                columns = row._asdict()
                part = columns.pop("part")
                rejected = Approval(**columns)
                found |= {subject: rejected for subject in (rejected.subject, part) if subject}
        return found

    def decide_approval(
        self,
        code: str,
        status: ApprovalStatus,
        *,
        by: str,
        at: float,
        expires_at: float | None = None,
        reason: str | None = None,
        retry_at: float | None = None,
        record: Mapping[str, Any] | None = None,
    ) -> bool:
        """Approve or reject a pending approval. False if it is no longer pending, or if a second person must decide.

        Args:
            expires_at: end of an approval; by default the end of the request.
            retry_at: end of a rejection for the call and its variations; by default the end of the request.
            record: audit record of the decision, added in the same transaction.
        """
        with self.audit_log.write_transaction() as connection:
            end_outdated(connection, at, approvals.c.code == code)
            end = approvals.c.expires_at if expires_at is None else expires_at
            wait = None if status != "rejected" else end if retry_at is None else retry_at
            pending = [approvals.c.code == code, approvals.c.status == "pending", _is_current(at)]
            if status == "approved":
                pending.append(or_(approvals.c.two_person.is_(False), approvals.c.principal != by))
            decided = connection.execute(
                update(approvals)
                .where(*pending)
                .values(status=status, decided_at=at, decided_by=by, reason=reason, expires_at=end, retry_at=wait)
            )
            if decided.rowcount != 1:
                return False
            if record is not None:
                self.audit_log.append_decision(connection, record, at=at)
            profile = connection.execute(select(approvals.c.profile).where(approvals.c.code == code)).scalar_one()
            if (
                event := decision_event(code, profile, status, at, str((record or {}).get("principal_name", "")))
            ) is not None:
                add_event(connection, event)
            return True

    def void_approval(self, code: str) -> None:
        """Void an approval whose target has changed, so that it can be requested again."""
        self._database.change(update(approvals).where(approvals.c.code == code, _LIVE).values(status="stale"))

    def _with_current_status(self, found: list[Approval], now: float) -> list[Approval]:
        """Return approvals, those that are not current as stale. A rejection stays rejected.

        What was seen as expired, or as made by a clock that was ahead, is stored, so that no clock revives it.
        """
        stale = [each.code for each in found if each.status in _LIVE_STATUSES and not each.is_current(now)]
        if stale:
            with suppress(StoreError), self._database.transaction() as connection:  # a full disk must not end a read
                end_outdated(connection, now, approvals.c.code.in_(stale))
        return [replace(each, status="stale") if each.code in stale else each for each in found]


def use_proof(connection: Connection, proof: ProofUse, at: float) -> None:
    """Use up a confirmation or an approval. Only one of two concurrent uses succeeds.

    Raises:
        AlreadyUsed: it was used before, has expired, or does not exist.
    """
    if proof.kind == "confirmation":
        try:
            connection.execute(insert(confirmations).values(nonce=proof.id, used_at=at))
        except IntegrityError:
            raise AlreadyUsed(message("store.confirmation_used"), message("store.ask_again_hint")) from None
        return
    ready = (approvals.c.code == proof.id, approvals.c.status == "approved", _is_current(at))
    if connection.execute(update(approvals).where(*ready).values(status="used")).rowcount != 1:
        raise AlreadyUsed(message("store.approval_used"), message("store.ask_again_hint"))


def _find_rejected(connection: Connection, subject: str, now: float) -> Approval | None:
    lists = select(covered_calls.c.code).where(covered_calls.c.subject == subject)
    about = or_(approvals.c.subject == subject, approvals.c.code.in_(lists))
    waiting = (about, approvals.c.status == "rejected", approvals.c.retry_at > now)
    row = connection.execute(select(approvals).where(*waiting).order_by(approvals.c.retry_at.desc())).first()
    return Approval(**row._asdict()) if row is not None and subject else None


def _is_current(now: float) -> ColumnElement[bool]:
    """Return the condition of `Approval.is_current`."""
    return and_(_begun <= now + CLOCK_TOLERANCE, approvals.c.expires_at > now)


def end_outdated(connection: Connection, now: float, about: ColumnElement[bool]) -> None:
    """Store that approvals have expired, and add the events of those that nobody decided on; or that they begin too late.

    One that begins in the future was made while a clock was ahead. It stays void when its time comes.
    In a shared database, the shared clock must agree: a wrong clock of one process would end approvals for all others.
    """
    earlier, later = clock_range(connection, now)
    expired = (about, _LIVE, approvals.c.expires_at <= earlier)
    columns = (approvals.c.code, approvals.c.profile, approvals.c.expires_at)
    undecided = select(*columns).where(*expired, approvals.c.status == "pending")
    for row in connection.execute(undecided).all():
        add_event(connection, approval_event(row.code, row.profile, "approval_expired", row.expires_at))
    outdated = or_(approvals.c.expires_at <= earlier, _begun > later + CLOCK_TOLERANCE)
    connection.execute(update(approvals).where(about, _LIVE, outdated).values(status="stale"))
