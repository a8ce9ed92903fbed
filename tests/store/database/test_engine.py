"""What is said of an error of the database."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from saasus_mcp.common.messages import Message
from saasus_mcp.store.database import sqlite
from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.errors import StoreError


def test_an_error_that_sqlite_has_no_code_for_is_said_in_its_words() -> None:
    database = Database(sqlite.create_memory_engine())
    with pytest.raises(StoreError) as caught, database.transaction() as connection:
        connection.execute(text("SELECT missing FROM versions"))
    reason = caught.value.message.params["reason"]
    assert isinstance(reason, Message)
    assert reason.params["name"] == "SQLITE_ERROR: no such column: missing"
