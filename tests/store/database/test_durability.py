"""A power failure brings back no consent that was used up: the commit of a write waits for the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from saasus_mcp.store.records import Commitment
from tests.support.saas_store import open_saas_store

pytestmark = pytest.mark.usefixtures("disk_waits")

RECORD = {"operation": "auth.CreateTenant", "principal": "local:a", "decision": "allow"}


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """Collect the statements of each connection to SQLite that is opened from now on."""
    said: list[str] = []

    def trace(connection: Any, _: object) -> None:
        connection.set_trace_callback(said.append)

    event.listen(Engine, "connect", trace)
    yield said
    event.remove(Engine, "connect", trace)


def modes_at_commit(statements: list[str]) -> list[str]:
    """Return how each writing transaction is kept: `FULL` waits for the disk."""
    modes, mode = [], ""
    for statement in statements:
        if statement.startswith("PRAGMA synchronous="):
            mode = statement.rpartition("=")[2]
        elif statement == "BEGIN IMMEDIATE":
            modes.append(mode)
    return modes


def test_the_commit_of_a_write_waits_for_the_disk(tmp_path: Path, statements: list[str]) -> None:
    with closing(open_saas_store(tmp_path, "s")) as store:
        store.commit("read", RECORD, 1.0)
        statements.clear()
        store.commit("write", RECORD, 1.0, commitment=Commitment(writes=True, profile="default"))
    assert modes_at_commit(statements) == ["FULL"]


def test_a_read_does_not_wait_for_the_disk(tmp_path: Path, statements: list[str]) -> None:
    with closing(open_saas_store(tmp_path, "s")) as store:
        store.commit("first", RECORD, 1.0)
        statements.clear()
        store.commit("read", RECORD, 1.0)
    assert "FULL" not in modes_at_commit(statements)
