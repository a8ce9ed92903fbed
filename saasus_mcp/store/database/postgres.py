"""PostgreSQL, by psycopg: connections on which nothing waits for ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, create_engine, text

from saasus_mcp.store.state_files import StoreError

CONNECT_SECONDS = 5
IDLE_TRANSACTION_SECONDS = 6
"""For which a transaction may stand still before the server ends it, and with it its locks: its process was stopped."""
LOCK_SECONDS = 7
STATEMENT_SECONDS = 8
RESPONSE_SECONDS = 9.0
"""After which a server that does not answer at all is given up."""
LONG_SECONDS = 300.0
"""The same for what a person asks of the whole audit."""
POOL_SIZE, MAX_CONNECTIONS = 5, 10
"""Connections of one process. One transaction writes at a time; the others read, or are of further profiles."""
MAX_AGE_SECONDS = 1800
Given = TypeVar("Given")


class TimeoutConnection(psycopg.Connection[Any]):
    """A connection that gives up when the server does not answer: a limit that the server keeps is none while it hangs."""

    response_seconds = RESPONSE_SECONDS

    def wait(self, gen: PQGen[Given], interval: float = 0.1, timeout: float | None = None) -> Given:
        try:
            return super().wait(gen, interval, self.response_seconds if timeout is None else timeout)
        except psycopg.Error:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()  # what it was asked may still come, and would be taken for another's answer
            raise


def create_postgres_engine(url: str, kept_open: int = POOL_SIZE, at_most: int = MAX_CONNECTIONS) -> Engine:
    """A pool of connections to a database, none of them open yet.

    Args:
        url: as libpq reads it, with whatever parameters it knows.
        kept_open: connections that stay open, once they are.
        at_most: connections at the same time.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        given = conninfo_to_dict(url)
    except psycopg.Error:
        raise StoreError("SAASUS_MCP_DATABASE_URL cannot be read.", "Write postgresql://USER@HOST/DATABASE.") from None
    limits = {
        "statement_timeout": STATEMENT_SECONDS,
        "lock_timeout": LOCK_SECONDS,
        "idle_in_transaction_session_timeout": IDLE_TRANSACTION_SECONDS,
    }
    asked = " ".join(f"-c {name}={seconds}s" for name, seconds in limits.items())
    address = make_conninfo(
        "",
        **{
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "saasus-mcp",
            "tcp_user_timeout": int(RESPONSE_SECONDS * 1000),
            **given,
            "options": f"{given.get('options') or ''} {asked}".strip(),
        },
    )
    return create_engine(
        "postgresql+psycopg://",
        creator=lambda: TimeoutConnection.connect(address),
        pool_size=kept_open,
        max_overflow=at_most - kept_open,
        pool_timeout=RESPONSE_SECONDS,
        pool_pre_ping=True,
        pool_recycle=MAX_AGE_SECONDS,
    )


@contextmanager
def allow_long_transaction(connection: Connection) -> Iterator[None]:
    """Let a transaction take long: it reads or removes much, and no call waits for it."""
    driver: Any = connection.connection.dbapi_connection
    for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
        connection.execute(text(f"SET LOCAL {limit} = '{int(LONG_SECONDS)}s'"))
    driver.patience = LONG_SECONDS
    try:
        yield
    finally:
        driver.patience = RESPONSE_SECONDS
