"""Fixtures of all tests. They reach neither a network nor the state and the credentials of the user."""

from __future__ import annotations

import itertools
import os
import secrets
import signal
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpcore2
import pytest
from sqlalchemy import Engine, MetaData, create_engine, event
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from saasus_mcp.catalog import Catalogue, Operation, load_catalogue
from saasus_mcp.jobs import engine_storage
from saasus_mcp.sandbox import app, behaviours, seed
from saasus_mcp.sandbox.routes import Routes
from saasus_mcp.sandbox.state import State
from saasus_mcp.server.surface.builtin_tool import BuiltinTool
from saasus_mcp.server.surface.tool_list import ToolListCache
from saasus_mcp.store.database import sqlite
from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.database.schema import SCHEMA_VERSION, metadata
from saasus_mcp.store.store import Store
from saasus_mcp.store.stores import Stores
from tests.support import variants
from tests.support.databases import BACKENDS, create_database, create_engine_of_jobs, open_stores

_NUMBERS = itertools.count()
SERIALIZE_TOOL = ToolListCache._serialize
OPEN_DATABASE = Database.__init__
SHARED_SECONDS = 10
"""How old the demonstration data of a sandbox may be at its start, if its clock is that of this computer."""


def _hear_interrupts() -> None:
    """Handle SIGINT. A suite that a shell started in the background ignores it, and so would every process that a test starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def _shared_sql() -> Iterator[None]:
    """Compile each statement once for all SQLite databases, and copy the tables of stores: nearly all of a short-lived one."""
    model = sqlite.create_memory_engine()
    Database(model)  # creates the tables
    with model.connect() as connection:
        assert connection.connection.driver_connection is not None
        image: bytes = connection.connection.driver_connection.serialize()
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

    create_empty, create_file = share(sqlite.create_memory_engine), share(sqlite.create_file_engine)

    def create_memory_engine() -> Engine:
        engine = create_empty()
        event.listen(engine, "connect", lambda connection, _: connection.deserialize(image))
        return engine

    def open_file(file: Path, tables: MetaData = metadata, version: int = SCHEMA_VERSION) -> Database:
        engine = create_file(file)  # which checks the file
        if tables is metadata and not file.stat().st_size:
            file.write_bytes(image)
        return Database(engine, tables, version)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "create_memory_engine", create_memory_engine)
        patch.setattr(Database, "open_file", open_file)
        patch.setattr(MetaData, "create_all", create_tables)
        yield
    model.dispose()


@contextmanager
def _absent_module_is_known() -> Iterator[None]:
    """Search once for what httpx2 tries to import for each request to an application: half a millisecond where it is not there."""
    with pytest.MonkeyPatch.context() as patch:
        if find_spec("sniffio") is None:
            patch.setitem(sys.modules, "sniffio", None)  # None: it is not there
        yield


@contextmanager
def _shared_certificates() -> Iterator[None]:
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
def _shared_tools() -> Iterator[None]:
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


@pytest.fixture
def unshared_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serialize tools as the product does, for tests of that."""
    monkeypatch.setattr(ToolListCache, "_serialize", SERIALIZE_TOOL)


@pytest.fixture
def disk_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the disk as the product does, for tests of that."""
    monkeypatch.setattr(Database, "__init__", OPEN_DATABASE)


@contextmanager
def _shared_demonstration() -> Iterator[None]:
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


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def exhaustive(request: pytest.FixtureRequest) -> bool:
    """Return whether a test plays both protocol eras and all operations, or one era and a sample."""
    return bool(request.config.getoption("--exhaustive"))


@contextmanager
def _whole_walks(*, exhaustive: bool) -> Iterator[None]:
    """Walk over all operations, not over a sample of them, with `--exhaustive`."""
    with pytest.MonkeyPatch.context() as patch:
        if exhaustive:
            patch.setattr(variants, "SHARE", 1)
        yield


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(params=BACKENDS)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | str]:
    """Return where stores are: in a folder, or in a PostgreSQL database."""
    if request.param == "sqlite":
        yield tmp_path / "state"
        return
    with create_database() as address:
        yield address


@pytest.fixture
def kept(where: Path | str) -> Iterator[Stores]:
    with closing(open_stores(where)) as opened:
        yield opened


@pytest.fixture(scope="session")
def _one_database() -> Iterator[str]:
    """Create a database for all tests that need only a store of their own in it. Creating one takes long."""
    with create_database() as address:
        yield address


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Open a store of its own, on each database."""
    with ExitStack() as until:
        if request.param == "sqlite":
            yield until.enter_context(closing(Store.in_memory()))
            return
        opened = until.enter_context(closing(open_stores(request.getfixturevalue("_one_database"))))
        yield until.enter_context(closing(opened.open_saas(f"saas-{secrets.token_hex(6)}")))


@contextmanager
def _quick_jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Stop the engine of jobs without its wait of up to a second. Copy its SQLite tables, and compile its statements once."""
    configure, model = engine_storage.engine_configuration, create_engine("sqlite://")
    model.connect().close()  # the dialect asks the first connection what it needs to know

    def configure_quickly(url: str, schema: str) -> tuple[Any, Engine]:
        config, pool = configure(url, schema)
        database = Path(pool.url.database or "")
        if not schema:
            pool.dialect, pool._compiled_cache = model.dialect, model._compiled_cache
            if not (database.exists() and database.stat().st_size):
                database.write_bytes(_job_tables(tmp_path_factory.getbasetemp() / "model.jobs.db"))
        return {**config, "notification_listener_polling_interval_sec": 0.01}, pool

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_storage, "create_sqlite_engine", create_engine_of_jobs)
        patch.setattr(engine_storage, "engine_configuration", configure_quickly)
        yield
    model.dispose()


@cache
def _job_tables(model: Path) -> bytes:
    """Return a database with the tables of the engine and nothing in them."""
    from dbos import DBOS  # noqa: PLC0415 - slow to import, and only where a job runs

    DBOS.migrate(f"sqlite:///{model}")
    return model.read_bytes()


@contextmanager
def _no_waiting() -> Iterator[None]:
    """Retry at once, as often as in production. Wait for no disk: only a power failure shows a difference."""

    def open_without_waits(database: Database, *given: Any, **named: Any) -> None:
        OPEN_DATABASE(database, *given, **named)
        database._durable = database._engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        patch.setattr(Database, "__init__", open_without_waits)
        patch.setattr("saasus_mcp.saasus.client.FIRST_WAIT", 0.0)
        yield


@pytest.fixture(scope="session", autouse=True)
def _shared(tmp_path_factory: pytest.TempPathFactory, exhaustive: bool) -> Iterator[None]:
    """Prepare once what the product would for each test. This is one fixture, since pytest looks at each one for each test."""
    _hear_interrupts()
    with (
        _shared_sql(),
        _absent_module_is_known(),
        _shared_certificates(),
        _shared_tools(),
        _shared_demonstration(),
        _whole_walks(exhaustive=exhaustive),
        _quick_jobs(tmp_path_factory),
        _no_waiting(),
    ):
        yield


@pytest.fixture(autouse=True)
def _own_state(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Hide the credentials and the state of the user. The folder for state is made by tests that need one."""
    for name in os.environ:
        if name.startswith("SAASUS_"):
            monkeypatch.delenv(name)
    if "tmp_path" in request.fixturenames:
        folder: Path = request.getfixturevalue("tmp_path")
    else:
        folder = tmp_path_factory.getbasetemp() / f"not-made-{next(_NUMBERS)}"
    monkeypatch.setenv("SAASUS_MCP_STATE_DIR", str(folder / "state"))
    monkeypatch.setenv("SAASUS_MCP_CONFIG", str(folder / "config.toml"))


@pytest.fixture(scope="session")
def deleting(catalogue: Catalogue) -> Operation:
    """Return the operation that deletes a tenant."""
    return catalogue.find("auth_delete_tenant")
