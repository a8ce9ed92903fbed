"""The databases of a store. PostgreSQL needs a server: `make test-postgres` starts one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, event, make_url

from saasus_mcp.jobs import engine_storage
from saasus_mcp.store.folder_stores import FolderStores
from saasus_mcp.store.store import Store
from saasus_mcp.store.stores import Stores

SERVER = os.environ.get("SAASUS_MCP_TEST_POSTGRES")
POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.postgresql)
"""Tests with this parameter are collected only where there is a server (tests/conftest.py)."""
BACKENDS = ("sqlite", POSTGRESQL)
KEY = b"k" * 32
CREATE_ENGINE_OF_JOBS = engine_storage.create_sqlite_engine


def database_name(where: Path | str) -> str:
    """Return the name that people know of the database at this place."""
    return "SQLite" if isinstance(where, Path) else "PostgreSQL"


def create_engine_of_jobs(url: str) -> Engine:
    """Open the SQLite file of the engine of jobs, which waits for the disk at each step: only a power failure shows a difference."""
    engine = CREATE_ENGINE_OF_JOBS(url)
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    return engine


@contextmanager
def create_database(encoding: str = "UTF8") -> Iterator[str]:
    """Create a PostgreSQL database, and drop it at the end. Return its address."""
    assert SERVER is not None
    name = f"test_{secrets.token_hex(6)}"
    server = create_engine(make_url(SERVER).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    try:
        with server.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} ENCODING {encoding} LOCALE 'C' TEMPLATE template0")
        yield make_url(SERVER).set(database=name).render_as_string(hide_password=False)
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        server.dispose()


def open_stores(where: Path | str, keys: Sequence[bytes] = (KEY,)) -> Stores:
    """Open stores as another process does, in a folder or at the address of a database."""
    if isinstance(where, Path):
        return FolderStores(where, lambda: keys)
    from saasus_mcp.store.shared_stores import SharedStores  # noqa: PLC0415 - its driver is of an extra

    return SharedStores(where, lambda: keys)


def execute(store: Store, statement: str) -> None:
    """Execute a statement on the tables, as an attacker who has the database but not the server."""
    with store._database.transaction() as connection:
        schemas = connection.get_execution_options().get("schema_translate_map")
        if schemas:
            connection.exec_driver_sql(f'SET LOCAL search_path TO "{schemas[None]}"')
        connection.exec_driver_sql(statement)
