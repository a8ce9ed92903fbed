"""Removing the oldest records of each chain. What proves that it was a purge: see ARCHITECTURE.md, "The audit"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, select
from sqlalchemy.sql.elements import ColumnElement

from saasus_mcp.store.audit.hash_chain import ChainHead, PurgeMark
from saasus_mcp.store.database.schema import audit, purged

CHAINS_PER_RECORD = 500
"""Chains that one record of a purge names."""


def read_purge_marks(connection: Connection) -> list[PurgeMark]:
    """What purges left behind, a mark a chain."""
    return [_mark(row) for row in connection.execute(select(purged).order_by(purged.c.writer))]


def plan_purge(connection: Connection, before: float, by: str, at: float) -> Iterator[tuple[PurgeMark, ...]]:
    """The marks that a purge of what is older than a time makes, for one of its records each; their purge is not known yet.

    A mark of before is made again where the record of its purge goes now, so that a record always names it.
    """
    cuts = _cuts(connection, before)
    old = {mark.writer: mark for mark in read_purge_marks(connection)}
    again = [
        mark
        for mark in old.values()
        if mark.writer not in cuts and mark.purge.number <= _number(cuts.get(mark.purge.writer))
    ]
    bare = ChainHead("", 0, "")
    new = [PurgeMark(head.writer, head.number, head.mac, at, by, bare) for head in cuts.values()]
    return _pieces([*new, *again])


def _pieces(every: list[PurgeMark]) -> Iterator[tuple[PurgeMark, ...]]:
    return (tuple(every[start : start + CHAINS_PER_RECORD]) for start in range(0, len(every), CHAINS_PER_RECORD))


def count_purged(connection: Connection, made: tuple[PurgeMark, ...]) -> int:
    """How many records these marks remove."""
    first = {mark.writer: 0 for mark in made}
    first |= {mark.writer: mark.number for mark in read_purge_marks(connection) if mark.writer in first}
    return sum(mark.number - first[mark.writer] for mark in made)


def execute_purge(connection: Connection, made: tuple[PurgeMark, ...]) -> int:
    """Keep these marks and remove what they cover. Gives how many records were removed."""
    removed = 0
    for mark in made:
        values = {name: getattr(mark, name) for name in ("writer", "number", "mac", "at", "by", "proof")}
        named = {f"purge_{name}": getattr(mark.purge, name) for name in ChainHead.__slots__}
        connection.execute(delete(purged).where(purged.c.writer == mark.writer))
        connection.execute(insert(purged).values(**values, **named))
        gone = (audit.c.writer == mark.writer, audit.c.number <= mark.number)
        removed += connection.execute(delete(audit).where(*gone)).rowcount
    return removed


def _cuts(connection: Connection, before: float) -> dict[str, ChainHead]:
    """The last record of each chain before its first one that is to stay."""
    place = (audit.c.writer, func.min(audit.c.number), func.max(audit.c.number))
    old = {row[0]: row[2] for row in connection.execute(_grouped(place, audit.c.at < before))}
    young = {row[0]: row[1] for row in connection.execute(_grouped(place, audit.c.at >= before))}
    cuts = {}
    for writer, last in old.items():
        of_last = (audit.c.writer == writer, audit.c.number == min(last, young.get(writer, last + 1) - 1))
        row = connection.execute(select(audit.c.writer, audit.c.number, audit.c.mac).where(*of_last)).first()
        if row is not None:
            cuts[writer] = ChainHead(*row)
    return cuts


def _grouped(columns: tuple[Any, ...], where: ColumnElement[bool]) -> Select[Any]:
    return select(*columns).where(where).group_by(audit.c.writer)


def _number(head: ChainHead | None) -> int:
    return head.number if head else 0


def _mark(row: Row[Any]) -> PurgeMark:
    values = row._asdict()
    purge = ChainHead(*(values.pop(f"purge_{name}") for name in ChainHead.__slots__))
    return PurgeMark(**values, purge=purge)
