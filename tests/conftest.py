"""Fixtures that every part of the suite shares. Nothing here reaches a network or the user's own state."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from saasus_mcp.catalog import Catalogue, Operation, load_catalogue
from saasus_mcp.store import Store
from saasus_mcp.store.stores import Stores
from tests.support.databases import BACKENDS, NO_POSTGRESQL, create_database, open_stores


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Every test that wants a PostgreSQL server and has none skips in one line of the summary."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and report.longrepr[2].endswith(NO_POSTGRESQL):
        report.longrepr = (__file__, 1, report.longrepr[2])
    return report


@pytest.fixture(scope="session", autouse=True)
def _interrupts_are_heard() -> None:
    """A suite that a shell started in the background ignores SIGINT, and so would every process that a test starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(params=BACKENDS)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | str]:
    """Where stores can be kept: in a folder, and in a database of PostgreSQL."""
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
    """A database for all that need no more than a store of their own in it: making one for each takes long."""
    with create_database() as address:
        yield address


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store of its own, on each database."""
    with ExitStack() as until:
        if request.param == "sqlite":
            yield until.enter_context(closing(Store.in_memory()))
            return
        opened = until.enter_context(closing(open_stores(request.getfixturevalue("_one_database"))))
        yield until.enter_context(closing(opened.open_saas(f"saas-{secrets.token_hex(6)}")))


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries happen at once, up to as many attempts as in production."""
    monkeypatch.setattr("saasus_mcp.saasus.client.FIRST_WAIT", 0.0)


@pytest.fixture(autouse=True)
def _own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reads the credentials or the state of whoever runs it."""
    for name in os.environ:
        if name.startswith("SAASUS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SAASUS_MCP_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("SAASUS_MCP_CONFIG", str(tmp_path / "config.toml"))


@pytest.fixture(scope="session")
def deleting(catalogue: Catalogue) -> Operation:
    """Return the operation that deletes a tenant."""
    return catalogue.find("auth_delete_tenant")
