"""The storage of the job engine: its database, and the encryption of everything that it writes there."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from saasus_mcp.common.messages import message
from saasus_mcp.jobs.engine import EngineError
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.store.database.engine import explained_failure

if TYPE_CHECKING:
    from dbos import DBOSConfig, Serializer

POSTGRES_POOL_SIZES = (2, 5)
"""Connections to PostgreSQL: kept open, and at most. Pipelines have another pool, so that jobs never wait for them."""
BUSY_MILLISECONDS = 30_000
"""How long a statement waits for another process's lock on the SQLite file: DBOS's own value."""
SUBSECOND_SQLITE = (3, 42, 0)
"""The first SQLite whose `unixepoch` knows 'subsec' (sqlite.org/changes.html, 3.42.0)."""
PURPOSE = "job"


def engine_configuration(url: str, schema: str) -> tuple[DBOSConfig, Engine]:
    """Return DBOS's settings for its database, and the connection pool, which the caller disposes of.

    Args:
        url: a SQLite file as SQLAlchemy writes it, or PostgreSQL as libpq does.
        schema: of PostgreSQL; empty for SQLite.

    Raises:
        StoreError: the address of PostgreSQL cannot be read.
    """
    if not schema:
        pool = create_sqlite_engine(url)
        return {"system_database_url": url, "system_database_engine": pool}, pool
    from saasus_mcp.store.database import postgres  # noqa: PLC0415 - its driver is in an extra

    pool = postgres.create_postgres_engine(url, *POSTGRES_POOL_SIZES)
    # By default, DBOS creates the database and listens in it for notifications. Ours exists, and none are sent.
    return {"system_database_engine": pool, "dbos_system_schema": schema, "use_listen_notify": False}, pool


def create_sqlite_engine(url: str) -> Engine:
    """Open a SQLite file as DBOS does, on every version of SQLite.

    DBOS assumes that Python 3.12 and later have SQLite 3.42 or newer, and there writes times with `unixepoch('subsec')`.
    An older SQLite returns NULL for it, and no job starts. On such a SQLite, a function of this module replaces it.
    """
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def _(connection: Any, _: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
        connection.execute("PRAGMA foreign_keys=ON")
        if sqlite3.sqlite_version_info < SUBSECOND_SQLITE:
            connection.create_function("unixepoch", -1, _unix_epoch)

    return engine


def _unix_epoch(*modifiers: str) -> float | int | None:
    """Return the present time in epoch seconds, with milliseconds for 'subsec'; None for any other use, as SQLite does."""
    now = time.time()
    if modifiers in ((), ("now",)):
        return int(now)
    return round(now, 3) if modifiers in (("subsec",), ("now", "subsec")) else None


@contextmanager
def explain_failures(pool: Engine) -> Iterator[None]:
    """Raise a failure of DBOS's database as one of the store: a full disk is not a fault of the server."""
    try:
        yield
    except OperationalError as error:
        raise explained_failure(pool, error) from None


def create_serializer(encryptor: Encryptor) -> Serializer:
    """Return a serializer to encrypted JSON. DBOS would pickle, and a pickle would let the writer of the file run code here."""
    from dbos import Serializer  # noqa: PLC0415 - slow to import, and only where a job runs

    class EncryptedSerializer(Serializer):
        def serialize(self, data: Any) -> str:
            content = {"error": str(data)} if isinstance(data, BaseException) else {"value": data}
            return encryptor.encrypt_token(content, PURPOSE)

        def deserialize(self, serialized_data: str) -> Any:
            content = encryptor.decrypt_token(serialized_data, PURPOSE)
            if content is None:
                raise EngineError.of("jobs.foreign_record")
            if "value" in content:
                return content["value"]
            return EngineError(message("jobs.stored_error", error=content["error"]))

        def name(self) -> str:
            return "sealed"

    return EncryptedSerializer()
