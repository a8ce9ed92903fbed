"""Outages: a lost database, a commit without an answer, a full disk, no free file descriptors."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.store import Store
from saasus_mcp.store.tokens import TOKENS_FILE, Token, TokenStore

UNKNOWN_TOKEN = "smcp_" + "a" * 43
"""A token of the right form that nobody was given."""


def database_behind(owner: Store | TokenStore) -> Database:
    return owner._database


def fill_database(owner: Store | TokenStore) -> None:
    """Stop the growth of the database, as on a full disk."""
    with database_behind(owner).transaction() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")


@contextmanager
def full_disk(engine: Engine) -> Iterator[None]:
    """Stop the growth of the SQLite file behind a pool of connections."""

    def limit(connection: Any, *_: object) -> None:
        [(pages,)] = connection.execute("PRAGMA page_count")
        connection.execute(f"PRAGMA max_page_count={pages}")

    def unlimit(connection: Any, *_: object) -> None:
        connection.execute("PRAGMA max_page_count=1073741823")

    event.listen(engine, "checkout", limit)
    yield
    event.remove(engine, "checkout", limit)
    event.listen(engine, "checkout", unlimit)


def empty_database(owner: Store | TokenStore) -> None:
    """Allow the database to grow again."""
    with database_behind(owner).transaction() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1073741823")


@contextmanager
def open_accounts(folder: Path) -> Iterator[tuple[TokenStore, str]]:
    """Open the token store of a folder. Return it with the token of a caller."""
    made, now = TokenStore.open(folder), time.time()
    try:
        yield made, made.add(Token("alice", "caller", frozenset({"support"}), "local:me", now, now + 600))
    finally:
        made.close()


def lose_database(owner: TokenStore, folder: Path) -> None:
    """Replace the file of the token store by a folder, which no database opens."""
    owner.close()
    for file in folder.glob(f"{TOKENS_FILE}*"):
        file.unlink()
    (folder / TOKENS_FILE).mkdir()


@contextmanager
def lose_commits(store: Store, *, written: bool, readable: bool = True, of: str = "commit") -> Iterator[None]:
    """Let the COMMIT of the next write or job fail, as if the connection broke.

    Args:
        written: whether the database made the commit before.
        readable: whether a job can be looked up meanwhile.
        of: another method of the store whose COMMIT fails.
    """
    dialect, commit = database_behind(store)._engine.dialect, getattr(store, of)
    make = dialect.do_commit

    def lose(connection: Any) -> None:
        (make if written else dialect.do_rollback)(connection)
        raise sqlite3.OperationalError("the connection broke")

    left = [lose]

    def commit_and_lose(*given: Any, **options: Any) -> Any:
        with pytest.MonkeyPatch.context() as losing:
            if left and (of != "commit" or options.get("commitment") is not None):
                losing.setattr(dialect, "do_commit", left.pop())
            return commit(*given, **options)

    def fail(_: str) -> None:
        raise StoreError.of("store.database_failed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, of, commit_and_lose)
        if not readable:
            patch.setattr(store.jobs, "get", fail)
        yield


@contextmanager
def exhaust_files() -> Iterator[None]:
    """Use up the file descriptors of this process."""
    if sys.platform == "win32":
        pytest.skip("Windows has no such limit")
    import resource  # noqa: PLC0415 - not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Path("/dev/null").open("rb") as lowest_free:
        number = lowest_free.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
