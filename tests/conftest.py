"""Fixtures of all tests. They reach neither a network nor the state and the credentials of the user."""

from __future__ import annotations

import gc
import itertools
import os
import secrets
import signal
import ssl
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path
from typing import Any

import httpcore2
import pytest
from hypothesis import settings
from sqlalchemy import Engine, MetaData
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from saasus_mcp.catalog import Catalogue, Operation, load_catalogue
from saasus_mcp.jobs import engine_storage
from saasus_mcp.store import Store
from saasus_mcp.store.database import sqlite
from saasus_mcp.store.stores import Stores
from tests.support.databases import BACKENDS, SERVER, create_database, open_stores
from tests.support.pipeline import ERAS
from tests.support.variants import choose_era

_SAME_EVERYWHERE = settings(derandomize=True, database=None, deadline=None)
"""A failure on one machine is a failure on each."""
settings.register_profile("dev", _SAME_EVERYWHERE, max_examples=30)
settings.register_profile("ci", _SAME_EVERYWHERE, max_examples=150)
settings.load_profile("dev")

STARTERS = {
    "Terminal", "run_module", "serve_sandbox", "spawn_command", "start_module", "start_replicas", "start_server", "start_stdio_server",
    "subprocess",
}  # fmt: skip
"""Names that start processes. A module that imports one is marked `process`."""
ENGINES = {"start_job_server"}
"""Names that start an engine of jobs, which takes a third of a second. A module that imports one is marked `slow`."""

_NUMBERS = itertools.count()

TESTS = Path(__file__).parent
SLOW_FOLDERS = (
    "attacks/",
    "browser/",
    "hardening/",
    "jobs/",
    "properties/",
    "questions/",
    "server/pipeline/",
    "cli/specs/",
    "scripts/",
)
"""Folders that run all operations or many examples: `make test-fast` leaves them out."""


VARIANT = "era"
"""The parameter of a test whose values `make test` divides among the tests. `make coverage` runs each test with all of them."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every-variant", action="store_true", help="run each test in both protocol eras")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return the workers of `--numprocesses auto`: one more than cores, since tests of processes wait. On two: 329 s, not 460."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without the collector of garbage, which would walk ten thousand tests again and again: a third of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def _is_other_variant(item: pytest.Item) -> bool:
    """Return whether the same test runs in another era. The choice depends on the test's name, so that each era has half."""
    call = getattr(item, "callspec", None)
    if call is None or call.params.get(VARIANT) not in ERAS:
        return False
    return bool(call.params[VARIANT] != choose_era(item.nodeid.replace(call.params[VARIANT], "")))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests that can start processes. Leave out those of PostgreSQL where there is no server, and the other variants."""
    by_name = any("::" in each for each in config.args)
    every_variant = config.getoption("--every-variant") or by_name
    kept, left_out = list[pytest.Item](), list[pytest.Item]()
    for item in items:
        names = vars(item.module).keys() if isinstance(item, pytest.Function) else set[str]()
        for marker, helpers in (("process", STARTERS), ("slow", ENGINES)):
            if helpers & names:
                item.add_marker(marker)
        if item.path.relative_to(TESTS).as_posix().startswith(SLOW_FOLDERS):
            item.add_marker("slow")
        without_server = SERVER is None and item.get_closest_marker("postgresql")
        other_variant = not every_variant and _is_other_variant(item)
        (left_out if without_server or other_variant else kept).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(scope="session", autouse=True)
def _interrupts_are_heard() -> None:
    """Handle SIGINT. A suite that a shell started in the background ignores it, and so would every process that a test starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _shared_sql() -> Iterator[None]:
    """Compile each statement once for all SQLite databases, not for each: that is half the time of a short-lived store."""
    model = sqlite.create_memory_engine()
    model.connect().close()  # prepares its dialect
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
        patch.setattr(sqlite, "create_memory_engine", share(sqlite.create_memory_engine))
        patch.setattr(sqlite, "create_file_engine", share(sqlite.create_file_engine))
        patch.setattr(MetaData, "create_all", create_tables)
        yield
    model.dispose()


@pytest.fixture(scope="session", autouse=True)
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


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def every_variant(request: pytest.FixtureRequest) -> bool:
    """Return whether a test plays both protocol eras, or one for each of its cases."""
    return bool(request.config.getoption("--every-variant"))


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


@pytest.fixture(autouse=True)
def _quick_jobs(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Stop the engine of jobs without its wait of up to a second. Copy its SQLite tables: they take two thirds of its start."""
    configure = engine_storage.engine_configuration

    def configure_quickly(url: str, schema: str) -> tuple[Any, Engine]:
        config, pool = configure(url, schema)
        database = Path(pool.url.database or "")
        if not schema and not (database.exists() and database.stat().st_size):
            database.write_bytes(_job_tables(tmp_path_factory.getbasetemp() / "model.jobs.db"))
        return {**config, "notification_listener_polling_interval_sec": 0.01}, pool

    monkeypatch.setattr(engine_storage, "engine_configuration", configure_quickly)


@cache
def _job_tables(model: Path) -> bytes:
    """Return a database with the tables of the engine and nothing in them."""
    from dbos import DBOS  # noqa: PLC0415 - slow to import, and only where a job runs

    DBOS.migrate(f"sqlite:///{model}")
    return model.read_bytes()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry at once, as often as in production."""
    monkeypatch.setattr("saasus_mcp.saasus.client.FIRST_WAIT", 0.0)


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
