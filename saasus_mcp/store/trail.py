"""The audit: written within the transaction that it records, read, verified, exported and purged."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from saasus_mcp.store.chain import START, Break, Head, Link, mac, verify
from saasus_mcp.store.database import Database
from saasus_mcp.store.tables import audit, purged

Record = Mapping[str, Any]


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
        """Where the chains break, held also to exported heads; empty where they hold."""
        with self._database.transaction() as connection:
            first = {row.writer: Head(row.writer, row.number, row.mac) for row in connection.execute(select(purged))}
            return verify(self._key, self._links(connection), {head.writer: head for head in heads}, first)

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
            yield Link(row.writer, row.number, row.at, row.call, row.event, row.record, row.mac)
