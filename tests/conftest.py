"""Fixtures that every part of the suite shares. Nothing here reaches a network or the user's own state."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina

from saasus_mcp.catalog import Catalogue, load
from saasus_mcp.store import Store


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load()


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store.in_memory()
    yield store
    store.close()


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    """Retries happen at once, up to as many attempts as in production."""
    with stamina.set_testing(True, attempts=3):
        yield


@pytest.fixture(autouse=True)
def _own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reads the credentials or the state of whoever runs it."""
    for name in os.environ:
        if name.startswith("SAASUS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SAASUS_MCP_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("SAASUS_MCP_CONFIG", str(tmp_path / "config.toml"))
