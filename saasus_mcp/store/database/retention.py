"""Deletion of expired rows. The audit log is never purged automatically."""

from __future__ import annotations

from sqlalchemy import Connection, Table, select

from saasus_mcp.store.database.locks import delete_skip_locked
from saasus_mcp.store.database.schema import (
    approvals,
    charges,
    confirmations,
    ended_sessions,
    job_pauses,
    job_steps,
    jobs,
    journal,
    mailbox_messages,
    mailboxes,
    mutes,
    notice_deliveries,
    notices,
    people,
    results,
    secrets,
    undone,
)
from saasus_mcp.store.records import AUDIT_DAYS, DAY, NOTICE_DAYS, UNDO_LOG_DAYS

MAILBOX_SECONDS = 600

_RETENTION: tuple[tuple[Table, str, int], ...] = (
    (journal, "at", UNDO_LOG_DAYS * DAY),
    (approvals, "expires_at", UNDO_LOG_DAYS * DAY),
    (jobs, "ended_at", UNDO_LOG_DAYS * DAY),
    (notices, "at", NOTICE_DAYS * DAY),
    (mutes, "until", 0),
    (people, "seen_at", AUDIT_DAYS * DAY),
    (results, "expires_at", 0),
    (secrets, "expires_at", 0),
    (confirmations, "used_at", DAY),
    (charges, "at", DAY),
    (mailboxes, "alive_until", MAILBOX_SECONDS),
    (mailbox_messages, "at", MAILBOX_SECONDS),
    (ended_sessions, "until", 0),
)
"""Table, column of the time, and seconds after it. A used confirmation is needed while its question is valid (minutes), a charge
during its window (an hour)."""


def purge_expired(connection: Connection, now: float) -> None:
    """Delete the rows whose retention has ended."""
    for table, column, seconds in _RETENTION:
        delete_skip_locked(connection, table, table.c[column] < now - seconds)
    delete_skip_locked(connection, job_steps, job_steps.c.job.not_in(select(jobs.c.id)))
    delete_skip_locked(connection, job_pauses, job_pauses.c.job.not_in(select(jobs.c.id)))
    delete_skip_locked(connection, undone, undone.c.call.not_in(select(journal.c.call)))
    delete_skip_locked(connection, notice_deliveries, notice_deliveries.c.notice.not_in(select(notices.c.id)))
