"""The store of one SaaS: what a call commits, and what people decide, each in one transaction."""

from __future__ import annotations

import secrets as randomness
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from saasus_mcp.store import folder_freeze
from saasus_mcp.store.audit.hash_chain import MacKeys
from saasus_mcp.store.audit.key_check import store_name
from saasus_mcp.store.audit.log import AuditLog
from saasus_mcp.store.database import retention
from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.database.locks import acquire_lock, delete_skip_locked
from saasus_mcp.store.database.schema import approvals, confirmations, secrets
from saasus_mcp.store.database.write_probe import probe_write
from saasus_mcp.store.job_records import JobStatus
from saasus_mcp.store.jobs import JobStore
from saasus_mcp.store.records import (
    NO_COMMITMENT,
    AlreadyUsed,
    Approval,
    ApprovalStatus,
    BudgetKind,
    BudgetUsage,
    CallOutcome,
    Commitment,
    Freeze,
    HiddenSecret,
    ProofUse,
)
from saasus_mcp.store.retention import HOUR
from saasus_mcp.store.state_files import StoreError, prepare_store_file
from saasus_mcp.store.stored_results import StoredResults
from saasus_mcp.store.undo_log import UndoLog
from saasus_mcp.store.write_freeze import (
    STORE_FREEZES,
    FreezeLookup,
    budget_usage,
    no_global_freeze,
    refuse_if_frozen,
    release_budget,
    reserve_budget,
)

Record = Mapping[str, Any]
MAX_HIDDEN_SECRETS = 20_000
"""Hidden secrets of one principal that are kept at the same time."""
MEMORY_STORE_NAME = "memory"
"""The name of a store that ends with the process."""


class Store:
    """Approvals, used confirmations, hidden secrets, freeze, budgets, journal and audit of one SaaS.

    Every method is one transaction and raises StoreError where the database cannot do it.
    """

    def __init__(
        self,
        database: Database,
        keys: MacKeys = (),
        everywhere: FreezeLookup = no_global_freeze,
        name: str = MEMORY_STORE_NAME,
    ) -> None:
        self._database = database
        self._everywhere = everywhere
        self._tidied = 0.0
        self.audit_log = AuditLog(database, keys or (randomness.token_bytes(32),), name)
        self.undo_log = UndoLog(database)
        self.results = StoredResults(database)
        self.jobs = JobStore(database)

    @classmethod
    def in_memory(cls) -> Store:
        """A store that ends with the process."""
        return cls(Database.in_memory())

    @classmethod
    def open_saas(cls, folder: Path, saas_id: str, keys: MacKeys = ()) -> Store:
        """The store of one SaaS in a folder, made where it is missing. Without its keys, no audit chain holds.

        Raises:
            StoreError: the folder or the file cannot be made or written.
        """
        return cls.open_file(prepare_store_file(folder, saas_id), keys)

    @classmethod
    def open_file(cls, file: Path, keys: MacKeys = ()) -> Store:
        """The store in this file."""

        def everywhere(_: Connection) -> list[Freeze]:
            found = folder_freeze.read_folder_freeze(file.parent)
            return [found] if found is not None else []

        return cls(Database.open_file(file), keys, everywhere, store_name(file))

    def close(self) -> None:
        self._database.close()

    def check_writable(self) -> None:
        """Write a row and remove it: see heartbeat."""
        probe_write(self._database)

    # -- calls -----------------------------------------------------------------------------------------------------

    def commit(
        self,
        call: str,
        record: Record,
        at: float,
        spend: ProofUse | None = None,
        commitment: Commitment = NO_COMMITMENT,
    ) -> None:
        """Step 6 of a call, in one transaction: not frozen, within budget, the yes used up, the audit begun.

        Only then may the request go.

        Raises:
            Frozen: a person holds the writes of its profile, or all writes, back.
            OverBudget: a ceiling would be passed.
            TooManyJobs: it starts a job, and too many of its principal's jobs are running.
            AlreadyUsed: the yes holds no more.
        """
        if spend is None and commitment == replace(NO_COMMITMENT, profile=commitment.profile):
            self.audit_log.append_alone(call, "begun", record, at)
            return
        with self.audit_log.write_transaction() as connection:
            if commitment.writes:
                refuse_if_frozen(connection, self._everywhere, commitment.profile)
            reserve_budget(connection, commitment.charges, call, commitment.profile, at)
            if spend is not None and (spend.kind != "grant" or commitment.claim is None):
                _use(connection, spend, at)
            if commitment.claim is not None:
                self.jobs.claim_step(connection, commitment.claim, call)
            if commitment.undo_entry is not None:
                self.undo_log.add(connection, commitment.undo_entry)
            if commitment.undoes is not None:
                self.undo_log.claim_undo(connection, commitment.undoes, call)
            if commitment.grant is not None:
                self.jobs.start(connection, call, commitment.grant, at)
            self.audit_log.append(connection, call, "begun", record, at)

    def finish_call(self, call: str, record: Record, at: float, ending: CallOutcome | None = None) -> None:
        """Step 9 of a call: how it ended. What it reserved is given back where it changed nothing.

        Once an hour, what has been kept long enough goes.
        """
        if ending is None and at - self._tidied < HOUR:
            self.audit_log.append_alone(call, "ended", record, at)
            return
        with self.audit_log.write_transaction() as connection:
            if ending is not None and not ending.changed:
                release_budget(connection, call)
                self.undo_log.discard(connection, call)
            elif ending is not None:
                self.undo_log.save_result(connection, call, ending.result)
            if ending is not None and ending.step is not None:
                self.jobs.finish_step(connection, call, ending.step)
            self.audit_log.append(connection, call, "ended", record, at)
            if at - self._tidied >= HOUR:
                retention.purge_expired(connection, at)
                self._tidied = at

    def finish_job(self, job: str, status: JobStatus, report: Record, record: Record, at: float) -> None:
        """How a job ended, once: what is told again of one that is over changes nothing."""
        with self.audit_log.write_transaction() as connection:
            if self.jobs.finish(connection, job, status, report, at):
                self.audit_log.append(connection, job, "ended", record, at)

    def record_refusal(self, call: str, record: Record, at: float) -> None:
        """A call that was not sent, and why."""
        self.audit_log.append_alone(call, "refused", record, at)

    def purge(self, audit: float, journal: float, now: float, *, by: str) -> tuple[int, int]:
        """Remove what is older than these times of the audit and of the journal, and what goes by itself. Gives how many of
        either were removed.

        Raises:
            StoreError: the audit does not hold.
        """
        counts = self.audit_log.purge(audit, by=by, at=now), self.undo_log.purge(journal)
        with self._database.transaction() as connection:
            retention.purge_expired(connection, now)
        return counts

    def record_decision(self, record: Record, at: float) -> None:
        """What a person decided outside any call (permissions.decisions)."""
        self.audit_log.append_alone(randomness.token_hex(16), "decided", record, at)

    def audit_records(self) -> list[dict[str, Any]]:
        """Every audit record, oldest first."""
        return self.audit_log.list_records()

    def freeze(self, freeze: Freeze) -> None:
        """Hold the writes of a profile of this SaaS back, or of all of its profiles. Of every SaaS: Stores.freeze."""
        with self._database.transaction() as connection:
            STORE_FREEZES.freeze(connection, freeze)

    def unfreeze(self, profile: str = "") -> None:
        """Lift the freeze of a profile, or with none given that of all profiles here. Any other freeze stays."""
        with self._database.transaction() as connection:
            STORE_FREEZES.unfreeze(connection, profile)

    def active_freezes(self, profile: str = "") -> list[Freeze]:
        """The freezes in force that concern a profile, or with none given all: everywhere first, then those here."""
        with self._database.transaction() as connection:
            return [*self._everywhere(connection), *STORE_FREEZES.list_active(connection, profile)]

    def active_freeze(self, profile: str = "") -> Freeze | None:
        """The first of `freezes`, if any."""
        return next(iter(self.active_freezes(profile)), None)

    def budget_usage(
        self, windows: Mapping[BudgetKind, int], at: float, profile: str | None = None
    ) -> list[BudgetUsage]:
        """What every principal has used of each budget, in one profile or in all. `windows`: seconds, by kind."""
        with self._database.transaction() as connection:
            return budget_usage(connection, windows, at, profile)

    # -- approvals -------------------------------------------------------------------------------------------------

    def request_approval(self, wanted: Approval, most_pending: int) -> Approval | None:
        """The live approval of this binding; the rejected one of the call or a variation of it while its wait lasts; or the
        wanted one stored as pending. None where too many are pending.
        """
        with self._database.transaction() as connection:
            acquire_lock(connection, "approvals", wanted.principal)
            lasts = approvals.c.expires_at > wanted.requested_at
            same = (approvals.c.binding == wanted.binding, approvals.c.status.in_(("pending", "approved")), lasts)
            live = connection.execute(select(approvals).where(*same).order_by(approvals.c.requested_at.desc())).first()
            if live is not None:
                return Approval(**live._asdict())
            rejected = _rejected(connection, wanted.subject, wanted.requested_at)
            if rejected is not None:
                return rejected
            mine = (approvals.c.principal == wanted.principal, approvals.c.status == "pending", lasts)
            pending = connection.execute(select(func.count()).select_from(approvals).where(*mine)).scalar_one()
            if pending >= most_pending:
                return None
            connection.execute(insert(approvals).values(**{name: getattr(wanted, name) for name in _COLUMNS}))
            return wanted

    def list_approvals(self, now: float, binding: str | None = None, *, since: float = 0.0) -> list[Approval]:
        """The approvals asked for, newest first: all, or those of one binding. What has expired is stale.

        Args:
            since: without those whose time was over by then.
        """
        query = select(approvals).where(approvals.c.expires_at > since).order_by(approvals.c.requested_at.desc())
        with self._database.transaction() as connection:
            rows = connection.execute(query if binding is None else query.where(approvals.c.binding == binding))
            return [_present(Approval(**row._asdict()), now) for row in rows]

    def find_rejected(self, subject: str, now: float) -> Approval | None:
        """The rejected approval of a call or a variation of it while its wait lasts."""
        with self._database.transaction() as connection:
            return _rejected(connection, subject, now)

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
        record: Record | None = None,
    ) -> bool:
        """Approve or reject a pending approval. False where it is no longer pending, or where it takes another's yes.

        Args:
            expires_at: until when a yes holds; left out, the approval ends when it would have ended.
            retry_at: of a rejection: until when the call and its variations wait; left out, until the approval would have ended.
            record: of the decision, for the audit, in the same transaction.
        """
        with self.audit_log.write_transaction() as connection:
            end = approvals.c.expires_at if expires_at is None else expires_at
            wait = None if status != "rejected" else end if retry_at is None else retry_at
            values: Record = {"status": status, "decided_at": at, "decided_by": by, "reason": reason}
            values = {**values, "expires_at": end, "retry_at": wait}
            mine = [approvals.c.code == code, approvals.c.status == "pending", approvals.c.expires_at > at]
            if status == "approved":
                mine.append(or_(approvals.c.two_person.is_(False), approvals.c.principal != by))
            done = connection.execute(update(approvals).where(*mine).values(**values)).rowcount == 1
            if done and record is not None:
                self.audit_log.append(connection, randomness.token_hex(16), "decided", record, at)
            return done

    def void_approval(self, code: str) -> None:
        """Void an approval whose ground has changed, so that it can be asked for anew."""
        with self._database.transaction() as connection:
            live = approvals.c.status.in_(("pending", "approved"))
            connection.execute(update(approvals).where(approvals.c.code == code, live).values(status="stale"))

    # -- secrets ---------------------------------------------------------------------------------------------------

    def add_secrets(self, hidden: list[HiddenSecret], now: float) -> None:
        """Keep the hidden secrets of one answer, and forget those whose time is over.

        Raises:
            StoreError: too many of this principal wait to be revealed.
        """
        with self._database.transaction() as connection:
            delete_skip_locked(connection, secrets, secrets.c.expires_at <= now)
            mine = select(func.count()).select_from(secrets).where(secrets.c.principal == hidden[0].principal)
            if connection.execute(mine).scalar_one() + len(hidden) > MAX_HIDDEN_SECRETS:
                raise StoreError(
                    f"{hidden[0].principal} has more than {MAX_HIDDEN_SECRETS} secrets waiting to be revealed.",
                    "Ask a person to reveal them, or wait until they expire.",
                )
            rows = [{name: getattr(secret, name) for name in HiddenSecret.__slots__} for secret in hidden]
            connection.execute(insert(secrets), rows)

    def get_secret(self, identifier: str, now: float) -> HiddenSecret | None:
        """A hidden secret by its id while it lasts."""
        live = (secrets.c.id == identifier, secrets.c.expires_at > now)
        with self._database.transaction() as connection:
            row = connection.execute(select(secrets).where(*live)).first()
            return HiddenSecret(**row._asdict()) if row is not None else None

    def take_secrets(self, decided: Mapping[str, Record], now: float) -> list[str]:
        """Forget hidden secrets that a person is about to see, so that each is revealed once, and record that.

        Args:
            decided: the record of each decision, by the secret's id.

        Returns:
            The ids of those that were still there; the others are not recorded.

        Raises:
            StoreError: it cannot be recorded; the secrets are kept, and none may be shown.
        """
        taken = []
        with self.audit_log.write_transaction() as connection:
            for identifier, record in decided.items():
                live = (secrets.c.id == identifier, secrets.c.expires_at > now)
                if connection.execute(delete(secrets).where(*live)).rowcount == 1:
                    self.audit_log.append(connection, randomness.token_hex(16), "decided", record, now)
                    taken.append(identifier)
        return taken


_COLUMNS = tuple(column.name for column in approvals.columns)


def _use(connection: Connection, spend: ProofUse, at: float) -> None:
    """Use up a yes; of two that try at once, one succeeds."""
    if spend.kind == "confirmation":
        try:
            connection.execute(insert(confirmations).values(nonce=spend.id, used_at=at))
        except IntegrityError:
            raise AlreadyUsed("This confirmation was already used.", "Ask again.") from None
        return
    ready = (approvals.c.code == spend.id, approvals.c.status == "approved", approvals.c.expires_at > at)
    if connection.execute(update(approvals).where(*ready).values(status="used")).rowcount != 1:
        raise AlreadyUsed("This approval was already used or has expired.", "Ask again.")


def _rejected(connection: Connection, subject: str, now: float) -> Approval | None:
    waiting = (approvals.c.subject == subject, approvals.c.status == "rejected", approvals.c.retry_at > now)
    row = connection.execute(select(approvals).where(*waiting).order_by(approvals.c.retry_at.desc())).first()
    return Approval(**row._asdict()) if row is not None and subject else None


def _present(approval: Approval, now: float) -> Approval:
    """As it is now. What is over is stale; what was rejected stays rejected."""
    over = approval.status in ("pending", "approved") and approval.expires_at <= now
    return replace(approval, status="stale") if over else approval
