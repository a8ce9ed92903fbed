"""How long a query may take: a short time where a call waits, a long one for work on the whole audit log."""

from __future__ import annotations

from contextlib import closing

import pytest
from sqlalchemy import text

from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.errors import StoreUnavailable
from tests.support.databases import POSTGRESQL

SLOW_QUERY = text("SELECT pg_sleep(0.6)")


@pytest.mark.parametrize("where", [POSTGRESQL], indirect=True)
def test_work_on_the_whole_log_outlasts_the_wait_of_a_call_and_the_next_call_waits_no_longer(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from saasus_mcp.store.database import postgres  # noqa: PLC0415 - its driver is of an extra

    engine = postgres.create_postgres_engine(where, pool_size=1, max_connections=1)
    with closing(Database(engine, schema="timed")) as database:
        monkeypatch.setattr(postgres.TimeoutConnection, "response_seconds", 0.2)
        with database.transaction(long_running=True) as connection:
            connection.execute(SLOW_QUERY)
        with pytest.raises(StoreUnavailable), database.transaction() as connection:
            connection.execute(SLOW_QUERY)
    engine.dispose()
