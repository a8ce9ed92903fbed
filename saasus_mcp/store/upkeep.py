"""What goes by itself when its time is over: all but the audit, which a person purges."""

from __future__ import annotations

from sqlalchemy import Connection, Table, select

from saasus_mcp.store.locks import forget
from saasus_mcp.store.retention import DAY, JOURNAL_DAYS
from saasus_mcp.store.tables import (
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

_SPANS: tuple[tuple[Table, str, int], ...] = (
    (journal, "at", JOURNAL_DAYS * DAY),
    (approvals, "expires_at", JOURNAL_DAYS * DAY),
    (jobs, "ended_at", JOURNAL_DAYS * DAY),
    (results, "expires_at", 0),
    (secrets, "expires_at", 0),
    (confirmations, "used_at", DAY),
    (charges, "at", DAY),
)
"""Of each table the time by which it is judged, and the seconds after which a row goes. A used confirmation is needed as long as
its question lasts, a charge as long as its window: minutes, and an hour."""


def tidy(connection: Connection, now: float) -> None:
    """Remove what has been kept long enough."""
    for table, at, span in _SPANS:
        forget(connection, table, table.c[at] < now - span)
    forget(connection, job_steps, job_steps.c.job.not_in(select(jobs.c.id)))
    forget(connection, undone, undone.c.call.not_in(select(journal.c.call)))
