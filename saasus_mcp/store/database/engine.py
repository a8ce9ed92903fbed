"""One SQLAlchemy engine, and the transactions in which everything in the store happens."""

from __future__ import annotations

import logging
import sqlite3
import weakref
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, PoolProxiedConnection, insert, inspect, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateSchema

from saasus_mcp.store.database import sqlite
from saasus_mcp.store.database.locks import acquire_lock
from saasus_mcp.store.database.prepared_statements import PreparedStatement
from saasus_mcp.store.database.schema import SCHEMA_VERSION, metadata
from saasus_mcp.store.state_files import StoreError

log = logging.getLogger(__name__)


class Database:
    """The tables, made where they are missing.

    Args:
        tables: the store's, or those of another database of ours; one of them is `versions`.
        version: of these tables.
        schema: where the tables are, in a database that holds several of its kind; the engine is then others' as well.

    Raises:
        StoreError: the database cannot be used.
    """

    def __init__(
        self, engine: Engine, tables: MetaData = metadata, version: int = SCHEMA_VERSION, schema: str | None = None
    ) -> None:
        self._shared = schema is not None
        self._postgres = engine.dialect.name == "postgresql"
        self._filed = not self._postgres and engine.url.database is not None
        self._straight: PoolProxiedConnection | None = None
        self._engine = engine.execution_options(schema_translate_map={None: schema}) if self._shared else engine
        versions = next(table for table in tables.tables.values() if table.name == "versions")
        with self.transaction(patient=True) as connection:
            acquire_lock(connection, "setup")
            if not inspect(connection).has_table("versions", schema):
                if schema is not None:
                    connection.execute(CreateSchema(schema, if_not_exists=True))
                tables.create_all(connection)
            found = connection.execute(select(versions.c.version)).scalar_one_or_none()
            if found is None:
                connection.execute(insert(versions).values(version=version))
            elif found != version:
                raise StoreError(
                    f"The store has version {found}; version {version} is required.",
                    "Move it elsewhere, or use the version of saasus-mcp that created it.",
                )

    @classmethod
    def in_memory(cls) -> Database:
        """One that ends with the process, or as soon as nobody has it any more."""
        engine = sqlite.create_memory_engine()
        made = cls(engine)
        weakref.finalize(made, engine.dispose)
        return made

    @classmethod
    def open_file(cls, file: Path, tables: MetaData = metadata, version: int = SCHEMA_VERSION) -> Database:
        """The one in this file."""
        return cls(sqlite.create_file_engine(file), tables, version)

    def close(self) -> None:
        """Let go of what is this database's alone."""
        if self._straight is not None:
            self._straight.close()
        if not self._shared:
            self._engine.dispose()

    @contextmanager
    def transaction(self, *, patient: bool = False) -> Iterator[Connection]:
        """All of it happens, or nothing.

        Args:
            patient: whether it may take long.

        Raises:
            StoreError: the database cannot do it.
        """
        with self._explained(), self._engine.begin() as connection, self._lasting(connection, patient=patient):
            yield connection

    def execute_alone(self, statement: PreparedStatement, values: Mapping[str, Any]) -> None:
        """One statement as a transaction of its own. To a file it goes past the library, which costs more than the file.

        One thread at a time.

        Raises:
            StoreError: the database cannot do it.
        """
        if not self._filed:
            with self.transaction() as connection:
                statement.execute(connection, values)
            return
        with self._explained():
            if self._straight is None:
                self._straight = self._engine.raw_connection()
            driver = self._straight.driver_connection
            assert driver is not None  # noqa: S101 - for the type: it is only given back when all is closed
            driver.execute(*statement.compiled_sql(self._engine.dialect, values))

    @contextmanager
    def read_transaction(self, *, patient: bool = True) -> Iterator[Connection]:
        """What is there at one moment, however much it is and whoever writes meanwhile.

        Args:
            patient: whether it may take long; not where a request waits for it.

        Raises:
            StoreError: the database cannot do it.
        """
        snapshot: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        options = snapshot if self._postgres else {sqlite.READ_ONLY: True}
        engine = self._engine.execution_options(**options)
        with self._explained(), engine.begin() as connection, self._lasting(connection, patient=patient):
            yield connection

    def _lasting(self, connection: Connection, *, patient: bool) -> AbstractContextManager[None]:
        if not (patient and self._postgres):
            return nullcontext()
        from saasus_mcp.store.database import postgres  # noqa: PLC0415 - of an extra that not everybody has

        return postgres.allow_long_transaction(connection)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            found = getattr(error, "orig", None) if isinstance(error, SQLAlchemyError) else error
            said = str(found or type(error).__name__).partition("\n")[0]
            if not self._postgres:
                mend = "Check that the disk is writable and not full."
                raise StoreError(f"The store cannot be used: {said}.", mend) from None
            log.warning("the database: %s", said)  # where it is and who asks is the operator's affair, not a client's
            mend = "Check that the database of SAASUS_MCP_DATABASE_URL answers; see the log for details."
            raise StoreError("The store cannot be used: its database failed or did not answer.", mend) from None
