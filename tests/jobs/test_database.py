"""The database of the job engine keeps time on every SQLite."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from sqlalchemy import text

from saasus_mcp.jobs.engine_storage import create_sqlite_engine


@pytest.mark.parametrize("call", ["unixepoch('subsec')", "unixepoch()", "unixepoch('now', 'subsec')"])
def test_every_sqlite_tells_the_time_that_rows_are_stamped_with(tmp_path: Path, call: str) -> None:
    engine = create_sqlite_engine(f"sqlite:///{tmp_path / 'jobs.sqlite3'}")
    try:
        with engine.begin() as connection:
            connection.execute(text(f"CREATE TABLE stamped (id INTEGER, at INTEGER NOT NULL DEFAULT ({call}))"))
            connection.execute(text("INSERT INTO stamped (id) VALUES (1)"))
            at = connection.execute(text("SELECT at FROM stamped")).scalar_one()
    finally:
        engine.dispose()
    assert abs(float(at) - time.time()) < 60
