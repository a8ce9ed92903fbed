"""The purge of the oldest records of each chain. See ARCHITECTURE.md, "The audit log", for its proof."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, literal_column, select

from saasus_mcp.store.audit.hash_chain import ChainHead, PurgeMark
from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.database.schema import audit, purged

CHAINS_PER_RECORD = 500
"""Chains that one record of a purge names."""
PURGED_TOGETHER = 10_000
"""Records that one transaction deletes, in about 50 ms. On SQLite, no other process can write meanwhile."""
PAUSE_SECONDS = 0.1
"""Between two transactions. A process that waits for SQLite looks so often whether it can write."""


def read_purge_marks(connection: Connection) -> list[PurgeMark]:
    """Return the marks of earlier purges, one for each chain."""
    return [_mark(row) for row in connection.execute(select(purged).order_by(purged.c.writer))]


def split_purge(database: Database, before: float) -> Iterator[float]:
    """Yield rising times, the last of which is `before`. About `PURGED_TOGETHER` records are between two of them."""
    since = 0.0
    while True:
        among = select(audit.c.at).where(audit.c.at >= since, audit.c.at < before).order_by(audit.c.at)
        with database.read_transaction() as connection:
            last = connection.execute(among.offset(PURGED_TOGETHER - 1).limit(1)).scalar()
        if last is None:
            yield before
            return
        since = math.nextafter(last, math.inf)  # with all others of this time
        yield since
        time.sleep(PAUSE_SECONDS)


def plan_purge(connection: Connection, before: float, by: str, at: float) -> Iterator[tuple[PurgeMark, ...]]:
    """Yield the marks of a purge of older records, in groups that one audit record names. Their `purge` is set later.

    An earlier mark is renewed if the record of its purge is deleted now, so that an existing record always names it.
    """
    cuts = _cuts(connection, before)
    old = {mark.writer: mark for mark in read_purge_marks(connection)}
    unset = ChainHead("", 0, "")
    again = [
        mark
        for mark in old.values()
        if mark.writer not in cuts and mark.purge.number <= cuts.get(mark.purge.writer, unset).number
    ]
    new = [PurgeMark(head.writer, head.number, head.mac, at, by, unset) for head in cuts.values()]
    every = [*new, *again]
    return (tuple(every[start : start + CHAINS_PER_RECORD]) for start in range(0, len(every), CHAINS_PER_RECORD))


def count_purged(connection: Connection, new: tuple[PurgeMark, ...]) -> int:
    """Return the number of records that these marks delete."""
    first = {mark.writer: 0 for mark in new}
    first |= {mark.writer: mark.number for mark in read_purge_marks(connection) if mark.writer in first}
    return sum(mark.number - first[mark.writer] for mark in new)


def execute_purge(connection: Connection, new: tuple[PurgeMark, ...]) -> int:
    """Save marks, delete their records, and return the number of deleted records."""
    removed = 0
    for mark in new:
        values = {name: getattr(mark, name) for name in ("writer", "number", "mac", "at", "by", "proof")}
        purge = {f"purge_{name}": getattr(mark.purge, name) for name in ChainHead._fields}
        connection.execute(delete(purged).where(purged.c.writer == mark.writer))
        connection.execute(insert(purged).values(**values, **purge))
        covered = (audit.c.writer == mark.writer, audit.c.number <= mark.number)
        removed += connection.execute(delete(audit).where(*covered)).rowcount
    return removed


def _cuts(connection: Connection, before: float) -> dict[str, ChainHead]:
    """Return the head of each chain's part that is deleted."""
    # To group by the column itself, SQLite would read its whole index, young records included.
    chain = audit.c.writer + literal_column("''")
    lasts = select(chain, func.max(audit.c.number)).where(audit.c.at < before).group_by(chain)
    cuts = {}
    for writer, last in connection.execute(lasts).all():
        own = select(audit.c.writer, audit.c.number, audit.c.mac).where(audit.c.writer == writer)
        young = connection.execute(own.where(audit.c.at >= before).order_by(audit.c.number).limit(1)).first()
        end = last if young is None else min(last, young.number - 1)
        row = connection.execute(own.where(audit.c.number == end)).first()
        if row is not None:
            cuts[writer] = ChainHead(*row)
    return cuts


def _mark(row: Row[Any]) -> PurgeMark:
    values = row._asdict()
    purge = ChainHead(*(values.pop(f"purge_{name}") for name in ChainHead._fields))
    return PurgeMark(**values, purge=purge)
