"""One SQLAlchemy engine, and the transactions of the store."""

from __future__ import annotations

import logging
import sqlite3
import time
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Connection,
    Delete,
    Engine,
    MetaData,
    PoolProxiedConnection,
    Select,
    Table,
    Update,
    func,
    insert,
    inspect,
    select,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateSchema

from saasus_mcp.store.database import sqlite
from saasus_mcp.store.database.locks import acquire_lock
from saasus_mcp.store.database.prepared_statements import PreparedStatement
from saasus_mcp.store.database.schema import SCHEMA_VERSION, metadata
from saasus_mcp.store.errors import StoreError, StoreUnavailable

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
    from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

log = logging.getLogger(__name__)


class Database:
    """A database with a set of tables, which are created if missing. Every method raises StoreError if the database fails.

    Args:
        tables: the tables, one of which is `versions`.
        schema: the schema of the tables, in a database with several stores. The engine is then shared.

    Raises:
        StoreError: the database cannot be used.
    """

    def __init__(
        self, engine: Engine, tables: MetaData = metadata, version: int = SCHEMA_VERSION, schema: str | None = None
    ) -> None:
        self._is_shared = schema is not None
        self._is_postgres = engine.dialect.name == "postgresql"
        self._file: sqlite.OpenedFile | None = engine.get_execution_options().get(sqlite.OPENED_FILE)
        self.is_file = self._file is not None
        self._raw: PoolProxiedConnection | None = None
        self._driver: Any = None
        self._engine = engine.execution_options(schema_translate_map={None: schema}) if self._is_shared else engine
        snapshot: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._snapshots = self._engine.execution_options(
            **(snapshot if self._is_postgres else {sqlite.READ_ONLY: True})
        )
        self._durable = self._engine if self._is_postgres else self._engine.execution_options(**{sqlite.DURABLE: True})
        versions = next(table for table in tables.tables.values() if table.name == "versions")
        with self.transaction(long_running=True) as connection:
            acquire_lock(connection, "setup")
            existing = inspect(connection).get_table_names(schema)
            if "versions" not in existing:
                if schema is not None:
                    connection.execute(CreateSchema(schema, if_not_exists=True))
                tables.create_all(connection)
            else:
                _create_what_was_added(connection, tables, existing)
            found = connection.execute(select(versions.c.version)).scalar_one_or_none()
            if found is None:
                connection.execute(insert(versions).values(version=version))
            elif found != version:
                raise StoreError.of("store.wrong_version", found=found, required=version)

    @classmethod
    def in_memory(cls) -> Database:
        """Return a database that ends with the process, or when it is no longer referenced."""
        engine = sqlite.create_memory_engine()
        database = cls(engine)
        weakref.finalize(database, engine.dispose)
        return database

    @classmethod
    def open_file(cls, file: Path, tables: MetaData = metadata, version: int = SCHEMA_VERSION) -> Database:
        return cls(sqlite.create_file_engine(file), tables, version)

    def require_present(self) -> None:
        """Raise StoreGone if this is a file that was removed or replaced."""
        if self._file is not None:
            self._file.require_present()

    def close(self) -> None:
        """Close the connections, except those of a shared engine."""
        if self._raw is not None:
            self._raw.close()
        if not self._is_shared:
            self._engine.dispose()

    @contextmanager
    def transaction(self, *, long_running: bool = False, durable: bool = False) -> Iterator[Connection]:
        """Run a transaction.

        Args:
            long_running: long timeouts, for work on the whole audit log.
            durable: wait for the disk, so that a power failure does not undo it. PostgreSQL always does.

        Raises:
            StoreError: the database fails. Only after a COMMIT that failed, something may have been written.
        """
        commits = False
        try:
            with (
                self._explain(),
                (self._durable if durable else self._engine).begin() as connection,
                self._timeouts(connection, long_running=long_running),
            ):
                yield connection
                commits = True
        except StoreError as error:
            error.may_have_written = commits
            raise

    def execute_alone(self, statement: PreparedStatement, *rows: Mapping[str, Any]) -> None:
        """Run a statement for each row of values, in one transaction. On a file it bypasses SQLAlchemy, which takes longer than the write.

        For one thread at a time.
        """
        if self._file is None:
            with self.transaction() as connection:
                for values in rows:
                    statement.run(connection, values)
            return
        self._file.require_present()
        try:  # a context manager would take a tenth of the time
            driver = self._driver or self._open_driver()
            if len(rows) == 1:
                driver.execute(*statement.compiled_sql(self._engine.dialect, rows[0]))
            else:
                with driver:
                    driver.execute("BEGIN IMMEDIATE")
                    for values in rows:
                        driver.execute(*statement.compiled_sql(self._engine.dialect, values))
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise explained_failure(self._engine, error) from None

    def read_alone(self, statement: PreparedStatement, values: Mapping[str, Any]) -> Sequence[Any] | None:
        """Return the first row of one statement, or None, without a transaction around it. See `execute_alone`."""
        if self._file is None:
            with self.read_transaction() as connection:
                return statement.execute(connection, values).first()
        self._file.require_present()
        with self._explain():
            found = (self._driver or self._open_driver()).execute(*statement.compiled_sql(self._engine.dialect, values))
            row: Sequence[Any] | None = found.fetchone()
            found.close()  # an open cursor would hold the snapshot
            return row

    def _open_driver(self) -> Any:
        """Return the driver's connection for single statements, opened by the first one. It is returned in close()."""
        self._raw = self._engine.raw_connection()
        self._driver = self._raw.driver_connection
        return self._driver

    @contextmanager
    def read_transaction(self, *, long_running: bool = True) -> Iterator[Connection]:
        """Run a read-only transaction on a snapshot. It does not block writers.

        Args:
            long_running: long timeouts; False if a request waits.
        """
        with (
            self._explain(),
            self._snapshots.begin() as connection,
            self._timeouts(connection, long_running=long_running),
        ):
            yield connection

    def rows(self, query: Select[Any]) -> Sequence[Any]:
        """Return the rows of one query for which a request waits."""
        with self.read_transaction(long_running=False) as connection:
            return connection.execute(query).all()

    def row(self, query: Select[Any]) -> Any | None:
        """Return the first row of one query, or None. See `rows`."""
        return next(iter(self.rows(query.limit(1))), None)

    def change(self, statement: Update | Delete) -> int:
        """Execute one statement as a transaction, and return how many rows it changed."""
        with self.transaction() as connection:
            return connection.execute(statement).rowcount

    def _timeouts(self, connection: Connection, *, long_running: bool) -> AbstractContextManager[None]:
        if not (long_running and self._is_postgres):
            return nullcontext()
        from saasus_mcp.store.database import postgres  # noqa: PLC0415 - in an optional extra

        return postgres.allow_long_transaction(connection)

    @contextmanager
    def _explain(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise explained_failure(self._engine, error) from None


def explained_failure(engine: Engine, error: SQLAlchemyError | sqlite3.Error) -> StoreError:
    """Return the error of the store for an error of its database library."""
    cause = getattr(error, "orig", None) if isinstance(error, SQLAlchemyError) else error
    if engine.dialect.name == "postgresql":
        text = str(cause or type(error).__name__).partition("\n")[0]
        log.warning("database error: %s", text)  # its address and user are not for the client
        return StoreUnavailable.of("store.database_failed")
    reason = sqlite.explain_error(cause or error)
    if sqlite.primary_code(cause) in sqlite.DAMAGED:
        file = Path(engine.url.database or "").name  # its folder is not for the client
        return StoreError.of("store.damaged", file=file, reason=reason)
    return StoreError.of("store.unusable", reason=reason)


def _create_what_was_added(connection: Connection, tables: MetaData, existing: Collection[str]) -> None:
    """Create the tables and indexes that an earlier release of the same version did not have."""
    for table in tables.tables.values():
        if table.info.get("added") and table.name not in existing:
            table.create(connection, checkfirst=True)
        for index in table.indexes:
            if index.info.get("added"):
                index.create(connection, checkfirst=True)


def shared_time(connection: Connection) -> float:
    """Return the time of the clock that replicas share: a fast clock of one of them would make all others stale."""
    if connection.dialect.name != "postgresql":
        return time.time()
    return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())


def clock_range(connection: Connection, now: float) -> tuple[float, float]:
    """Return the earlier and the later of this process's time and that of the clock that replicas share.

    What ends by the earlier, or begins after the later, does so for all replicas, and not only for one whose clock is wrong.
    """
    if connection.dialect.name != "postgresql":
        return now, now
    shared = shared_time(connection)
    return min(now, shared), max(now, shared)


def insert_into(connection: Connection, table: Table) -> PostgresInsert | SqliteInsert:
    """Return an insert that can say what a conflict does. Only the dialect in use is loaded: the other takes 2 MiB."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - see above

        return postgresql.insert(table)
    from sqlalchemy.dialects.sqlite import insert  # noqa: PLC0415 - see above

    return insert(table)


def insert_once(connection: Connection, table: Table, values: Mapping[str, Any]) -> None:
    """Insert a row, unless one with its key exists. A conflict does not end the transaction."""
    connection.execute(insert_into(connection, table).on_conflict_do_nothing().values(**values))
