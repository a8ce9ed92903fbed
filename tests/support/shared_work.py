"""Work that the product does for each store, client, server and sandbox, and that the processes of the tests do once."""

from __future__ import annotations

import os
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpcore2
import pytest
from sqlalchemy import Engine, MetaData, create_engine, event
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from saasus_mcp.catalog import Operation
from saasus_mcp.common import private_files
from saasus_mcp.jobs import engine_storage
from saasus_mcp.permissions.secrets import passphrase
from saasus_mcp.sandbox import app, behaviours, seed
from saasus_mcp.sandbox.incoming_request import Routes
from saasus_mcp.sandbox.state import State
from saasus_mcp.server.surface.builtin_tool import BuiltinTool
from saasus_mcp.server.surface.tool_list import ToolListCache
from saasus_mcp.store.database import sqlite
from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.state_files import STORE_SUFFIX
from tests.support.databases import create_engine_of_jobs

PASSPHRASE_COST = passphrase.COST
SERIALIZE_TOOL = ToolListCache._serialize
SHARED_SECONDS = 10
"""How old the demonstration data of a sandbox may be at its start, if its clock is that of this computer."""


@contextmanager
def share_work() -> Iterator[None]:
    """Share what any number of processes may share that use the same files, and derive passphrases cheaply."""
    with ExitStack() as until:
        for share in (
            _share_statements,
            _copy_tables,
            _share_absent_module,
            _share_certificates,
            _share_tools,
            _share_demonstration,
            _share_statements_of_jobs,
            _derive_cheaply,
        ):
            until.enter_context(share())
        yield


@contextmanager
def _share_statements() -> Iterator[None]:
    """Compile each statement once for all SQLite databases: nearly all of a short-lived one."""
    model = sqlite.create_memory_engine()
    create_all, statements = MetaData.create_all, dict[MetaData, list[str]]()

    def share(create: Callable[..., Engine]) -> Callable[..., Engine]:
        def create_engine(*args: Any) -> Engine:
            engine = create(*args)
            engine.dialect, engine._compiled_cache = model.dialect, model._compiled_cache
            return engine

        return create_engine

    def create_tables(tables: MetaData, bind: Any, **given: Any) -> None:
        if given or bind.dialect.name != "sqlite":
            create_all(tables, bind, **given)
            return
        if tables not in statements:
            ddl: list[ExecutableDDLElement] = [CreateTable(each, if_not_exists=True) for each in tables.sorted_tables]
            ddl += [CreateIndex(index, if_not_exists=True) for each in tables.sorted_tables for index in each.indexes]
            statements[tables] = [str(each.compile(dialect=model.dialect)) for each in ddl]
        for statement in statements[tables]:
            bind.exec_driver_sql(statement)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MetaData, "create_all", create_tables)
        Database(model)  # the dialect asks the first connection what it needs to know
        patch.setattr(sqlite, "create_memory_engine", share(sqlite.create_memory_engine))
        patch.setattr(sqlite, "create_file_engine", share(sqlite.create_file_engine))
        yield
    model.dispose()


@contextmanager
def _copy_tables() -> Iterator[None]:
    """Copy the tables of a new store. A file has them before it has its name."""
    model = sqlite.create_memory_engine()
    Database(model)  # creates the tables
    with model.connect() as connection:
        assert connection.connection.driver_connection is not None
        image: bytes = connection.connection.driver_connection.serialize()
    create_empty, create_file = sqlite.create_memory_engine, private_files.create_private_file

    def create_memory_engine() -> Engine:
        engine = create_empty()
        event.listen(engine, "connect", lambda connection, _: connection.deserialize(image))
        return engine

    def create_private_file(path: Path, content: bytes) -> None:
        create_file(path, content or (image if STORE_SUFFIX in path.name else b""))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "create_memory_engine", create_memory_engine)
        patch.setattr(private_files, "create_private_file", create_private_file)
        yield
    model.dispose()


@contextmanager
def _share_absent_module() -> Iterator[None]:
    """Search once for what httpx2 tries to import for each request to an application: half a millisecond where it is not there."""
    with pytest.MonkeyPatch.context() as patch:
        if find_spec("sniffio") is None:
            patch.setitem(sys.modules, "sniffio", None)  # None: it is not there
        yield


@contextmanager
def _share_certificates() -> Iterator[None]:
    """Read the system's certificates once, not for each client: that takes 40 ms."""
    read, contexts = httpcore2.default_ssl_context, dict[tuple[str | None, ...], ssl.SSLContext]()

    def share(**given: Any) -> ssl.SSLContext:
        places = (*map(os.environ.get, ("SSL_CERT_FILE", "SSL_CERT_DIR")), repr(given))
        if places not in contexts:
            contexts[places] = read(**given)
        return contexts[places]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpcore2, "default_ssl_context", share)
        yield


@contextmanager
def _share_tools() -> Iterator[None]:
    """Serialize the tool of an operation once, not for each server: all of them take 20 ms."""
    serialize, shared = SERIALIZE_TOOL, dict[tuple[Operation, str, str], dict[str, Any]]()

    def share(cache: ToolListCache, tool: BuiltinTool | Operation, version: str, *, apps: bool) -> dict[str, Any]:
        if apps or isinstance(tool, BuiltinTool):
            return serialize(cache, tool, version, apps=apps)
        key = tool, cache._language, version
        if key not in shared:
            shared[key] = serialize(cache, tool, version, apps=False)
        return shared[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ToolListCache, "_serialize", share)
        yield


@contextmanager
def _share_demonstration() -> Iterator[None]:
    """Make the routes and the data of the sandbox once, not for each sandbox: that takes 7 ms. A record never changes in place."""
    plant, find_behaviours = lru_cache(maxsize=4)(seed.plant_demonstration), cache(behaviours.behaviours_by_operation)

    def plant_copy(now: int) -> State:
        by_this_computer = abs(time.time() - now) < SHARED_SECONDS
        planted, copied = plant(now - now % SHARED_SECONDS if by_this_computer else now), State()
        copied._tables, copied._made = {name: dict(rows) for name, rows in planted._tables.items()}, planted._made
        return copied

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seed, "plant_demonstration", plant_copy)
        patch.setattr(app, "Routes", cache(Routes))
        patch.setattr(behaviours, "behaviours_by_operation", lambda catalogue: {**find_behaviours(catalogue)})
        yield


@contextmanager
def _share_statements_of_jobs() -> Iterator[None]:
    """Stop the engine of jobs without its wait of up to a second, and compile its statements for SQLite once."""
    configure, model = engine_storage.engine_configuration, create_engine("sqlite://")
    model.connect().close()  # as above

    def configure_quickly(url: str, schema: str) -> tuple[Any, Engine]:
        config, pool = configure(url, schema)
        if not schema:
            pool.dialect, pool._compiled_cache = model.dialect, model._compiled_cache
        return {**config, "notification_listener_polling_interval_sec": 0.01}, pool

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_storage, "create_sqlite_engine", create_engine_of_jobs)
        patch.setattr(engine_storage, "engine_configuration", configure_quickly)
        yield
    model.dispose()


@contextmanager
def _derive_cheaply() -> Iterator[None]:
    """Derive the hash of a passphrase for a 32nd of the cost. The file of the hash says for which."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passphrase, "COST", {**PASSPHRASE_COST, "n": PASSPHRASE_COST["n"] // 32})
        yield


@contextmanager
def copy_tables_of_jobs(folder: Path) -> Iterator[None]:
    """Copy the SQLite tables of a new engine of jobs from a model that is made in this folder.

    Of a process that opens it at the same time, this would overwrite what it writes.
    """
    configure = engine_storage.engine_configuration

    def configure_copy(url: str, schema: str) -> tuple[Any, Engine]:
        config, pool = configure(url, schema)
        database = Path(pool.url.database or "")
        if not schema and not (database.exists() and database.stat().st_size):
            database.write_bytes(_job_tables(folder / "model.jobs.db"))
        return config, pool

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_storage, "engine_configuration", configure_copy)
        yield


@cache
def _job_tables(model: Path) -> bytes:
    """Return a database with the tables of the engine and nothing in them."""
    from dbos import DBOS  # noqa: PLC0415 - slow to import, and only where a job runs

    DBOS.migrate(f"sqlite:///{model}")
    return model.read_bytes()
