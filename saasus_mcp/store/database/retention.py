"""What goes by itself when its time is over: all but the audit, which a person purges."""

from __future__ import annotations

from sqlalchemy import Connection, Table, select

from saasus_mcp.store.database.locks import delete_skip_locked
from saasus_mcp.store.database.schema import (
    approvals,
    charges,
    confirmations,
    job_steps,
    jobs,
    journal,
    results,
    secrets,
    undone,
)
from saasus_mcp.store.retention import DAY, UNDO_LOG_DAYS

_SPANS: tuple[tuple[Table, str, int], ...] = (
    (journal, "at", UNDO_LOG_DAYS * DAY),
    (approvals, "expires_at", UNDO_LOG_DAYS * DAY),
    (jobs, "ended_at", UNDO_LOG_DAYS * DAY),
    (results, "expires_at", 0),
    (secrets, "expires_at", 0),
    (confirmations, "used_at", DAY),
    (charges, "at", DAY),
)
"""Of each table the time by which it is judged, and the seconds after which a row goes. A used confirmation is needed as long as
its question lasts, a charge as long as its window: minutes, and an hour."""


def purge_expired(connection: Connection, now: float) -> None:
    """Remove what has been kept long enough."""
    for table, at, span in _SPANS:
        delete_skip_locked(connection, table, table.c[at] < now - span)
    delete_skip_locked(connection, job_steps, job_steps.c.job.not_in(select(jobs.c.id)))
    delete_skip_locked(connection, undone, undone.c.call.not_in(select(journal.c.call)))
