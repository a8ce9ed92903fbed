"""The clock that replicas share."""

from __future__ import annotations

import time

from sqlalchemy import Connection, func, select


def shared_time(connection: Connection) -> float:
    """Return the time of the clock that replicas share: a fast clock of one of them would make all others stale."""
    if connection.dialect.name != "postgresql":
        return time.time()
    return float(connection.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())
