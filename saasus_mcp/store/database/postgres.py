"""PostgreSQL by psycopg, with a timeout for every wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, create_engine, text

from saasus_mcp.store.errors import StoreError

CONNECT_SECONDS = 5
IDLE_TRANSACTION_SECONDS = 6
"""The server ends an idle transaction, and releases its locks, after this time: its process was stopped."""
LOCK_SECONDS = 7
STATEMENT_SECONDS = 8
RESPONSE_SECONDS = 9.0
"""The connection gives up on a server that does not answer."""
LONG_SECONDS = 300.0
"""The same for work on the whole audit log."""
POOL_SIZE, MAX_CONNECTIONS = 5, 10
"""Connections of one process. One transaction writes at a time; the others read or belong to other profiles."""
MAX_AGE_SECONDS = 1800
ENCODING = "UTF8"
ValueT = TypeVar("ValueT")


class TimeoutConnection(psycopg.Connection[Any]):
    """A connection with a timeout on the client side: a server-side timeout does not fire while the server hangs."""

    response_seconds = RESPONSE_SECONDS

    def wait(self, gen: PQGen[ValueT], interval: float = 0.1, timeout: float | None = None) -> ValueT:
        try:
            return super().wait(gen, interval, self.response_seconds if timeout is None else timeout)
        except psycopg.Error:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()  # a late answer would be taken for the answer to the next query
            raise


def create_postgres_engine(url: str, pool_size: int = POOL_SIZE, max_connections: int = MAX_CONNECTIONS) -> Engine:
    """Return an engine with a connection pool. No connection is opened yet.

    Args:
        url: a URL with any parameters of libpq.
        pool_size: connections that stay open.
        max_connections: connections at the same time.

    Raises:
        StoreError: the URL cannot be read.
    """
    try:
        parameters = conninfo_to_dict(url)
    except psycopg.Error:
        raise StoreError.of("store.database_url") from None
    limits = {
        "statement_timeout": STATEMENT_SECONDS,
        "lock_timeout": LOCK_SECONDS,
        "idle_in_transaction_session_timeout": IDLE_TRANSACTION_SECONDS,
    }
    options = " ".join(f"-c {name}={seconds}s" for name, seconds in limits.items())
    address = make_conninfo(
        "",
        **{
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "saasus-mcp",
            "tcp_user_timeout": int(RESPONSE_SECONDS * 1000),
            **parameters,
            "client_encoding": ENCODING,
            "options": f"{parameters.get('options') or ''} {options}".strip(),
        },
    )
    return create_engine(
        "postgresql+psycopg://",
        creator=lambda: _connect(address),
        pool_size=pool_size,
        max_overflow=max_connections - pool_size,
        pool_timeout=RESPONSE_SECONDS,
        pool_pre_ping=True,
        pool_recycle=MAX_AGE_SECONDS,
    )


def _connect(address: str) -> TimeoutConnection:
    """Open a connection. Raise StoreError if the database cannot store every text, as one that was created in the locale "C"."""
    connection = TimeoutConnection.connect(address)
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != ENCODING:
        connection.close()
        raise StoreError.of("store.database_encoding", encoding=encoding or "?")
    return connection


@contextmanager
def allow_long_transaction(connection: Connection) -> Iterator[None]:
    """Raise the timeouts of a transaction that reads or deletes much and for which no call waits."""
    driver: Any = connection.connection.dbapi_connection
    for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
        connection.execute(text(f"SET LOCAL {limit} = '{int(LONG_SECONDS)}s'"))
    driver.response_seconds = LONG_SECONDS
    try:
        yield
    finally:
        del driver.response_seconds
