"""The store of one SaaS: what a call commits, and what people decide, each in one transaction."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, true

from saasus_mcp.common.person import NOBODY, Person
from saasus_mcp.store.approvals import ApprovalStore, end_outdated, use_proof
from saasus_mcp.store.audit.chain_verification import IntegrityReport
from saasus_mcp.store.audit.hash_chain import ChainHead, MacKeys
from saasus_mcp.store.audit.key_check import store_name
from saasus_mcp.store.audit.log import AuditLog, AuditRecord
from saasus_mcp.store.budgets import budget_usage, release_budget, reserve_budget
from saasus_mcp.store.database import retention
from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.database.write_probe import probe_write
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.folder_stores import read_folder_freeze
from saasus_mcp.store.hidden_secrets import SecretStore
from saasus_mcp.store.job_records import JobPause, JobStatus, PauseResult, PauseSide
from saasus_mcp.store.jobs import JobStore
from saasus_mcp.store.mailboxes import MailboxStore
from saasus_mcp.store.notice_records import NoticeEvent, NoticeKind
from saasus_mcp.store.notices import NoticeOutbox, add_event
from saasus_mcp.store.records import (
    HOUR,
    NO_COMMITMENT,
    BudgetKind,
    BudgetUsage,
    CallOutcome,
    Commitment,
    Freeze,
    ProofUse,
)
from saasus_mcp.store.stored_results import StoredResults
from saasus_mcp.store.undo_log import UndoLog
from saasus_mcp.store.write_freeze import STORE_FREEZES, FreezeLookup, refuse_if_frozen

_JOB_NOTICES: Mapping[str, NoticeKind] = {"done": "job_done", "failed": "job_failed", "cancelled": "job_cancelled"}
_DECISION_NOTICES: Mapping[str, NoticeKind] = {"freeze": "frozen", "unfreeze": "unfrozen"}
MEMORY_STORE_NAME = "memory"


class Store(ApprovalStore, SecretStore):
    """Approvals, used confirmations, hidden secrets, freezes, budgets, undo log and audit log of one SaaS.

    Every method is one transaction and raises StoreError if the database fails.
    """

    def __init__(
        self,
        database: Database,
        keys: MacKeys = (),
        global_freeze: FreezeLookup = lambda _: [],
        name: str = MEMORY_STORE_NAME,
    ) -> None:
        self._database = database
        self._global_freeze = global_freeze
        self._purged_at = 0.0
        self.audit_log = AuditLog(database, keys or (secrets.token_bytes(32),), name)
        self.undo_log = UndoLog(database)
        self.results = StoredResults(database)
        self.jobs = JobStore(database)
        self.mailboxes = MailboxStore(database)
        self.notices = NoticeOutbox(database)

    @classmethod
    def in_memory(cls) -> Store:
        """Return a store that ends with the process."""
        return cls(Database.in_memory())

    @classmethod
    def open_file(cls, file: Path, keys: MacKeys = ()) -> Store:
        """Open the store in a file that `prepare_store_file` has created. Without its keys, the audit log cannot be verified."""

        def folder_freeze(_: Connection) -> list[Freeze]:
            freeze = read_folder_freeze(file.parent)
            return [freeze] if freeze is not None else []

        return cls(Database.open_file(file), keys, folder_freeze, store_name(file))

    @property
    def is_file(self) -> bool:
        """Whether the store is a file on this machine, in which one transaction writes at a time."""
        return self._database.is_file

    def close(self) -> None:
        self.record_waiting()
        self._database.close()

    def require_present(self) -> None:
        """Raise StoreGone if the file of the store was removed or replaced."""
        self._database.require_present()

    def check_writable(self) -> None:
        """Write and delete a row, as `probe_write` does."""
        probe_write(self._database)

    # -- calls -----------------------------------------------------------------------------------------------------

    def commit(
        self,
        call: str,
        record: AuditRecord,
        at: float,
        proof: ProofUse | None = None,
        *,
        commitment: Commitment | None = None,
    ) -> None:
        """Check the freeze and the budgets, use up the proof, and record the begin of a call. Then the request may be sent.

        No power failure brings back a consent that was used up, or the budget of a change.

        Args:
            commitment: None for a call that changes nothing.

        Raises:
            WritesFrozen: the writes of the profile are frozen.
            BudgetExceeded: a cost would exceed its ceiling.
            TooManyJobs: the call starts a job, and too many jobs of its principal are running.
            AlreadyUsed: the proof cannot be used any more.
            GrantExpired: the call is a step of a job whose consent was given too long ago.
        """
        if commitment is None:
            if proof is None:
                self.audit_log.append_alone(call, "begun", record, at)
                return
            commitment = NO_COMMITMENT
        with self.audit_log.write_transaction(durable=True) as connection:
            self.commit_within(connection, call, record, at, proof=proof, commitment=commitment)

    def commit_within(
        self,
        connection: Connection,
        call: str,
        record: AuditRecord,
        at: float,
        *,
        proof: ProofUse | None,
        commitment: Commitment,
    ) -> None:
        """Commit as `commit` does, in a durable transaction."""
        if commitment.writes:
            refuse_if_frozen(connection, self._global_freeze, commitment.profile)
        reserve_budget(connection, commitment.costs, call=call, profile=commitment.profile, at=at)
        if proof is not None and (proof.kind != "grant" or commitment.claim is None):
            use_proof(connection, proof, at)
        if commitment.claim is not None:
            self.jobs.claim_step(connection, commitment.claim, call, at)
        if commitment.undo_entry is not None:
            self.undo_log.add(connection, commitment.undo_entry)
        if commitment.undoes is not None:
            self.undo_log.claim_undo(connection, commitment.undoes, call)
        if commitment.grant is not None:
            self.jobs.start(connection, call, commitment.grant, at)
        self.audit_log.append(connection, call, "begun", record, at=at)

    def write_together(self, writes: Sequence[Callable[[Connection], None]], *, durable: bool) -> None:
        """Run several writes in one transaction.

        Args:
            durable: wait for the disk, which `commit_within` needs.

        Raises:
            StoreError: the database fails. What a write raises is raised, too. Either way nothing was written, unless `may_have_written`.
        """
        with self.audit_log.write_transaction(durable=durable) as connection:
            for write in writes:
                write(connection)

    def finish_call(
        self, call: str, record: AuditRecord, at: float, outcome: CallOutcome | None = None, *, again: bool = False
    ) -> None:
        """Record the end of a call. If it changed nothing, its costs and its entry in the undo log are removed.

        Once an hour, expired rows are deleted.

        Args:
            outcome: of a write.
            again: an earlier attempt, with the same time, may have succeeded. Then nothing is recorded.
        """
        if outcome is None and at - self._purged_at < HOUR:
            self.audit_log.append_alone(call, "ended", record, at)
            return
        with self.audit_log.write_transaction() as connection:
            if again and self.audit_log.has_ended(connection, call, at):
                return
            self.finish_within(connection, call, record, at, outcome)

    def finish_within(
        self, connection: Connection, call: str, record: AuditRecord, at: float, outcome: CallOutcome | None
    ) -> None:
        """Record the end of a call as `finish_call` does, in a transaction."""
        if outcome is not None:
            self._save_outcome(connection, call, outcome)
        self.audit_log.append(connection, call, "ended", record, at=at)
        if at - self._purged_at >= HOUR:
            end_outdated(connection, at, true())
            retention.purge_expired(connection, at)
            self._purged_at = at

    def begin_read_soon(self, call: str, record: AuditRecord, at: float) -> int:
        """Record the begin of a call that commits nothing else in `record_waiting`, or before. See `AuditLog.append_soon`."""
        return self.audit_log.append_soon(call, "begun", record, at)

    def finish_read_soon(self, call: str, record: AuditRecord, at: float) -> int:
        """Record the end of a call that changed nothing in `record_waiting`, or before. See `AuditLog.append_soon`."""
        return self.audit_log.append_soon(call, "ended", record, at) if at - self._purged_at < HOUR else 0

    @property
    def has_waiting_records(self) -> bool:
        """Whether begins or ends wait for `record_waiting`."""
        return self.audit_log.has_waiting

    def record_waiting(self) -> None:
        """Record the begins and ends that wait. One that cannot be recorded is logged."""
        self.audit_log.append_waiting()

    def _save_outcome(self, connection: Connection, call: str, outcome: CallOutcome) -> None:
        if outcome.changed:
            self.undo_log.save_result(connection, call, outcome.result)
        else:
            release_budget(connection, call)
            self.undo_log.discard(connection, call)
        if outcome.step is not None:
            self.jobs.finish_step(connection, call, outcome.step)

    def finish_job(self, job: str, status: JobStatus, report: AuditRecord, *, record: AuditRecord, at: float) -> None:
        """Record the end of a job once. A second call changes nothing."""
        with self.audit_log.write_transaction() as connection:
            if self.jobs.finish(connection, job, status, report=report, at=at):
                self.audit_log.append(connection, job, "ended", record, at=at)
                profile = self.jobs.profile_of(connection, job)
                add_event(connection, NoticeEvent(f"job:{job}", _JOB_NOTICES[status], profile, at, {"job": job}))

    def pause_job(self, job: str, pause: JobPause, record: AuditRecord) -> PauseResult:
        """Ask a job to pause, and record who asked (`JobStore.pause`)."""
        with self.audit_log.write_transaction() as connection:
            result = self.jobs.pause(connection, job, pause)
            if result == "paused":
                self.audit_log.append_decision(connection, record, at=pause.at)
            return result

    def resume_job(self, job: str, side: PauseSide, record: AuditRecord, at: float) -> bool:
        """Let a paused job go on, and record who did. False if it is not paused, or this side may not resume it."""
        with self.audit_log.write_transaction() as connection:
            resumed = self.jobs.resume(connection, job, side)
            if resumed:
                self.audit_log.append_decision(connection, record, at=at)
            return resumed

    def record_refusal(self, call: str, record: AuditRecord, at: float) -> None:
        """Record a call that was not sent, with the reason."""
        self.audit_log.append_alone(call, "refused", record, at)

    def record_decision(self, record: AuditRecord, at: float) -> None:
        """Record a decision that a person made outside a call. A freeze and its end are reported to people."""
        fields = {"by": "principal", "by_name": "principal_name", "reason": "reason"}
        data = {name: record.get(key, "") for name, key in fields.items()}
        kind = _DECISION_NOTICES.get(str(record.get("action")))
        with self.audit_log.write_transaction() as connection:
            call = self.audit_log.append_decision(connection, record, at=at)
            if kind is not None:
                add_event(connection, NoticeEvent(f"decision:{call}", kind, str(record.get("profile", "")), at, data))

    def verify_audit_log(self, heads: Sequence[ChainHead], at: float) -> IntegrityReport:
        """Verify the audit log. Faults are reported to people, the same ones once.

        Args:
            heads: exported heads, which must be present.
        """
        report = self.audit_log.verify_integrity(heads)
        if report.own_key and report.breaks:
            found = sorted(f"{each.writer} {each.number}" for each in report.breaks)
            digest = hashlib.sha256("\n".join((self.audit_log.name, *found)).encode()).hexdigest()[:32]
            data = {"store": self.audit_log.name, "breaks": len(found)}
            with suppress(StoreError):  # the report matters more, also of a store that cannot be written
                self.notices.add(NoticeEvent(f"audit:{digest}", "audit_broken", "", at, data))
        return report

    def purge(self, audit: float, undo_log: float, now: float, *, by: str, person: Person = NOBODY) -> tuple[int, int]:
        """Delete audit records and undo entries older than these times, and all expired rows.

        Returns:
            The numbers of deleted audit records and undo entries.

        Raises:
            StoreError: the audit log fails verification.
        """
        counts = self.audit_log.purge(audit, by=by, at=now, person=person), self.undo_log.purge(undo_log)
        with self._database.transaction() as connection:
            retention.purge_expired(connection, now)
        return counts

    # -- freezes and budgets ---------------------------------------------------------------------------------------

    def freeze(self, freeze: Freeze) -> None:
        """Freeze the writes of a profile of this SaaS, or of all its profiles. `Stores.set_freeze` freezes every SaaS."""
        with self._database.transaction() as connection:
            STORE_FREEZES.freeze(connection, freeze)

    def unfreeze(self, profile: str = "") -> None:
        """Lift the freeze of a profile, or without one the freeze of all profiles. Other freezes stay."""
        with self._database.transaction() as connection:
            STORE_FREEZES.unfreeze(connection, profile)

    def active_freezes(self, profile: str = "") -> list[Freeze]:
        """Return the freezes of a profile, or all freezes without one. Those of every SaaS come first."""
        with self._database.read_transaction(long_running=False) as connection:
            return [*self._global_freeze(connection), *STORE_FREEZES.list_active(connection, profile)]

    def active_freeze(self, profile: str = "") -> Freeze | None:
        """Return the first of `active_freezes`, or None."""
        return next(iter(self.active_freezes(profile)), None)

    def budget_usage(
        self, windows: Mapping[BudgetKind, int], at: float, profile: str | None = None
    ) -> list[BudgetUsage]:
        """Return the usage of every principal, in one profile or in all. `windows` are seconds by kind."""
        with self._database.read_transaction(long_running=False) as connection:
            return budget_usage(connection, windows, at, profile)
