"""Deletion of expired rows. The audit log is never purged automatically."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Column, Connection, Table, bindparam, select

from saasus_mcp.store.database import schema
from saasus_mcp.store.database.locks import delete_unlocked
from saasus_mcp.store.database.prepared_statements import PreparedStatement
from saasus_mcp.store.records import AUDIT_DAYS, DAY, NOTICE_DAYS, UNDO_LOG_DAYS

MAILBOX_SECONDS = 600

_RETENTION: tuple[tuple[Table, str, int], ...] = (
    (schema.journal, "at", UNDO_LOG_DAYS * DAY),
    (schema.approvals, "expires_at", UNDO_LOG_DAYS * DAY),
    (schema.jobs, "ended_at", UNDO_LOG_DAYS * DAY),
    (schema.notices, "at", NOTICE_DAYS * DAY),
    (schema.mutes, "until", 0),
    (schema.people, "seen_at", AUDIT_DAYS * DAY),
    (schema.results, "expires_at", 0),
    (schema.secrets, "expires_at", 0),
    (schema.confirmations, "used_at", DAY),
    (schema.costs, "at", DAY),
    (schema.mailboxes, "alive_until", MAILBOX_SECONDS),
    (schema.mailbox_messages, "at", MAILBOX_SECONDS),
    (schema.ended_sessions, "until", 0),
)
"""Table, column of the time, and seconds after it. A used confirmation is needed while its question is valid (minutes), a cost
during its window (an hour)."""
_PARENTS: tuple[tuple[Table, str, Column[Any]], ...] = (
    (schema.job_steps, "job", schema.jobs.c.id),
    (schema.job_pauses, "job", schema.jobs.c.id),
    (schema.covered_calls, "code", schema.approvals.c.code),
    (schema.undone, "call", schema.journal.c.call),
    (schema.change_names, "call", schema.journal.c.call),
    (schema.notice_deliveries, "notice", schema.notices.c.id),
)
"""Table, column that names the row it belongs to, and the column where that row must be."""


def purge_expired(connection: Connection, now: float) -> None:
    """Delete the rows whose retention has ended."""
    for deletion, seconds in _deletions():
        deletion.run(connection, {"before": now - seconds})


@cache
def _deletions() -> tuple[tuple[PreparedStatement, int], ...]:
    """Return the statements in their order, and the seconds of each. To build them takes longer than to execute them."""
    expired = [(table, table.c[column] < bindparam("before"), seconds) for table, column, seconds in _RETENTION]
    orphaned = [(table, table.c[column].not_in(select(parent)), 0) for table, column, parent in _PARENTS]
    return tuple(
        (PreparedStatement(delete_unlocked(table, where)), seconds) for table, where, seconds in expired + orphaned
    )
