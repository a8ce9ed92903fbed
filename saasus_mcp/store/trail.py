"""The audit: written within the transaction that it records, read, verified, exported and purged."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, tuple_

from saasus_mcp.store.chain import START, Break, Head, Link, mac, verify
from saasus_mcp.store.database import Database
from saasus_mcp.store.tables import audit, purged

Record = Mapping[str, Any]
PIECE = 1_000
"""Records that are read at once for verifying."""


class Trail:
    """The audit of one SaaS. `key` is the operator's: with another one, no chain holds.

    Each object is a writer of its own, so that it alone knows where its chain ends and need not look.
    """

    def __init__(self, database: Database, key: bytes) -> None:
        self._database = database
        self._key = key
        self._writer = secrets.token_hex(8)
        self._kept = self._head = Head(self._writer, 0, START)
        self._lock = threading.Lock()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that adds to this writer's chain; one at a time, since each record builds on the one before.

        Raises:
            StoreError: the database cannot do it; the chain is as it was.
        """
        with self._lock:
            self._head = self._kept
            with self._database.transaction() as connection:
                yield connection
            self._kept = self._head

    def note(self, connection: Connection, call: str, event: str, record: Record, at: float) -> None:
        """Add a record to this writer's chain, in the transaction of what it records (see `writing`)."""
        text = json.dumps(dict(record), ensure_ascii=False, separators=(",", ":"), default=str)
        link = Link(self._writer, self._head.number + 1, at, call, event, text, "")
        made = mac(self._key, self._head.mac, link)
        connection.execute(insert(audit), {**asdict(link), "mac": made})
        self._head = Head(self._writer, link.number, made)

    def records(self, since: float = 0.0) -> list[dict[str, Any]]:
        """Every audit record since a time, oldest first: `call`, `event`, `at`, and what was recorded."""
        with self._database.transaction() as connection:
            rows = connection.execute(select(audit).where(audit.c.at >= since).order_by(audit.c.seq))
            return [{"call": row.call, "event": row.event, "at": row.at, **json.loads(row.record)} for row in rows]

    def newest(self, most: int, before: int | None = None) -> list[tuple[int, dict[str, Any]]]:
        """The newest records and their numbers in the store, newest first; `before` one of that number."""
        query = select(audit).order_by(audit.c.seq.desc()).limit(most)
        with self._database.transaction() as connection:
            rows = connection.execute(query if before is None else query.where(audit.c.seq < before))
            return [
                (row.seq, {"call": row.call, "event": row.event, "at": row.at, **json.loads(row.record)})
                for row in rows
            ]

    def count(self) -> int:
        """How many records there are."""
        with self._database.transaction() as connection:
            return int(connection.execute(select(func.count()).select_from(audit)).scalar_one())

    def verify(self, heads: Iterable[Head] = ()) -> list[Break]:
        """Where the chains break, held also to exported heads; empty where they hold.

        Records are read piece by piece, so that calls go on meanwhile; if some were purged under it, it begins anew.
        """
        exported = {head.writer: head for head in heads}
        while True:
            first = self._purged()
            breaks = verify(self._key, self._pieces(), exported, first)
            if not breaks or self._purged() == first:
                return breaks

    def _purged(self) -> dict[str, Head]:
        """What a purge left behind of each writer."""
        with self._database.transaction() as connection:
            return {row.writer: Head(row.writer, row.number, row.mac) for row in connection.execute(select(purged))}

    def _pieces(self) -> Iterator[Link]:
        """All records, by writer and number, each piece in a transaction of its own."""
        last, place = ("", 0), tuple_(audit.c.writer, audit.c.number)
        while True:
            with self._database.transaction() as connection:
                query = select(audit).where(place > tuple_(*last)).order_by(audit.c.writer, audit.c.number).limit(PIECE)
                links = [_link(row) for row in connection.execute(query)]
            yield from links
            if len(links) < PIECE:
                return
            last = (links[-1].writer, links[-1].number)

    def heads(self) -> list[Head]:
        """The last record of every writer, to be kept off this machine."""
        last: dict[str, Head] = {}
        with self._database.transaction() as connection:
            for link in self._links(connection):
                last[link.writer] = Head(link.writer, link.number, link.mac)
        return list(last.values())

    def purge(self, before: float) -> int:
        """Remove what is older than a time, remembering where each chain then begins. Gives how many were removed."""
        with self._database.transaction() as connection:
            old = [link for link in self._links(connection) if link.at < before]
            cut = {link.writer: link for link in old}
            for writer, link in cut.items():
                connection.execute(delete(purged).where(purged.c.writer == writer))
                connection.execute(insert(purged).values(writer=writer, number=link.number, mac=link.mac))
                gone = (audit.c.writer == writer, audit.c.number <= link.number)
                connection.execute(delete(audit).where(*gone))
            return len(old)

    @staticmethod
    def _links(connection: Connection) -> Iterator[Link]:
        for row in connection.execute(select(audit).order_by(audit.c.writer, audit.c.number)):
            yield _link(row)


def _link(row: Any) -> Link:
    return Link(row.writer, row.number, row.at, row.call, row.event, row.record, row.mac)
