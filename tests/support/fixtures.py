"""Fixtures of all tests. They reach neither a network nor the state and the credentials of the user."""

from __future__ import annotations

import itertools
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

from saasus_mcp.catalog import Catalogue, Operation, load_catalogue
from saasus_mcp.permissions.secrets import passphrase
from saasus_mcp.server.surface.tool_list import ToolListCache
from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.store import Store
from saasus_mcp.store.stores import Stores
from tests.support import variants
from tests.support.databases import BACKENDS, create_database, open_stores
from tests.support.processes import ForkedProcess
from tests.support.shared_work import PASSPHRASE_COST, SERIALIZE_TOOL, copy_tables_of_jobs, share_work

_NUMBERS = itertools.count()
OPEN_DATABASE = Database.__init__


def _hear_interrupts() -> None:
    """Handle SIGINT. A suite that a shell started in the background ignores it, and so would every process that a test starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def unshared_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serialize tools as the product does, for tests of that."""
    monkeypatch.setattr(ToolListCache, "_serialize", SERIALIZE_TOOL)


@pytest.fixture
def whole_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Derive the hash of a passphrase for the cost of the product, for tests of that."""
    monkeypatch.setattr(passphrase, "COST", PASSPHRASE_COST)


@pytest.fixture
def disk_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the disk as the product does, for tests of that."""
    monkeypatch.setattr(Database, "__init__", OPEN_DATABASE)


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


@pytest.fixture
def shared(where: Path | str) -> Iterator[tuple[Store, Store]]:
    """Two processes' stores of one SaaS."""
    with closing(open_stores(where)) as here, closing(open_stores(where)) as there:
        pair = here.open_saas("saas"), there.open_saas("saas")
        yield pair
        for opened in pair:
            opened.close()


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
        share_work(),
        copy_tables_of_jobs(tmp_path_factory.getbasetemp()),
        _whole_walks(exhaustive=exhaustive),
        _no_waiting(),
    ):
        yield


def _refuse_process(*_: object, **__: object) -> NoReturn:
    raise AssertionError("`make test-fast` runs this test, which starts a process: see STARTERS in tests/conftest.py")


@pytest.fixture(autouse=True)
def _own_state(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Hide the credentials and the state of the user. The folder for state is made by tests that need one.

    Refuse to start processes where a mark promises that the test does not.
    """
    if not any(mark.name in {"process", "slow"} for mark in request.node.iter_markers()):
        for each in (subprocess.Popen, ForkedProcess):
            monkeypatch.setattr(each, "__init__", _refuse_process)
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
