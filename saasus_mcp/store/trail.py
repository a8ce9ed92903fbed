"""The audit: written within the transaction that it records, read, verified, exported and purged."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, func, insert, select, tuple_

from saasus_mcp.store.chain import START, Break, Head, Keys, Link, mac, verify
from saasus_mcp.store.database import Database
from saasus_mcp.store.files import StoreError
from saasus_mcp.store.locks import hold
from saasus_mcp.store.prepared import Prepared
from saasus_mcp.store.tables import audit, purged

Record = Mapping[str, Any]
BUSY_SECONDS = 9.0
"""For which a record waits for those before it, no longer than for the database itself."""
PIECE = 1_000
"""Records that are read at once."""

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str)
_ADD = Prepared.adding(audit, *Link.__slots__)


class Trail:
    """The audit of one SaaS. `keys` are the operator's: without the one that it was written with, no chain holds.

    Each object is a writer of its own, so that it alone knows where its chain ends and need not look.
    """

    def __init__(self, database: Database, keys: Keys) -> None:
        self._database = database
        self._keys = keys
        self._kept = self._head = _start()
        self._lock = threading.Lock()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that adds to this writer's chain; one at a time, since each record builds on the one before.

        Raises:
            StoreError: the database cannot do it; the chain is as it was.
        """
        self._wait()
        self._head, written = self._kept, False
        try:
            with self._database.transaction() as connection:
                yield connection
                written = True
            self._kept = self._head
        except StoreError:
            if written:  # it failed in its last step: the record may be there or not, so nothing is built on it
                self._kept = _start()
            raise
        finally:
            self._lock.release()

    def _wait(self) -> None:
        if not self._lock.acquire(timeout=BUSY_SECONDS):
            raise StoreError(
                "The store cannot be used: the calls before wait for it.", "See that its database answers."
            )

    def note(self, connection: Connection, call: str, event: str, record: Record, at: float) -> None:
        """Add a record to this writer's chain, in the transaction of what it records (see `writing`)."""
        row, self._head = self._next(call, event, record, at)
        _ADD.run(connection, row)

    def note_alone(self, call: str, event: str, record: Record, at: float) -> None:
        """Add a record beside which nothing is to be written, as of a read.

        Raises:
            StoreError: the database cannot do it.
        """
        self._wait()
        try:
            self._head = self._kept
            row, head = self._next(call, event, record, at)
            self._kept = _start()  # should it fail, the record may be there or not, so nothing is built on it
            self._database.add(_ADD, row)
            self._kept = head
        finally:
            self._lock.release()

    def _next(self, call: str, event: str, record: Record, at: float) -> tuple[dict[str, Any], Head]:
        """The row of this writer's next record, and where its chain then ends."""
        text = _JSON.encode(dict(record))
        link = Link(self._head.writer, self._head.number + 1, at, call, event, text, "")
        made = mac(self._keys[0], self._head.mac, link)
        row = {name: getattr(link, name) for name in Link.__slots__} | {"mac": made}
        return row, Head(link.writer, link.number, made)

    def records(self, since: float = 0.0) -> list[dict[str, Any]]:
        """Every audit record since a time, oldest first: `call`, `event`, `at`, and what was recorded."""
        with self._database.reading() as connection:
            rows = connection.execute(select(audit).where(audit.c.at >= since).order_by(audit.c.seq))
            return [_told(row) for row in rows]

    def newest(self, most: int, before: int | None = None) -> list[tuple[int, dict[str, Any]]]:
        """The newest records and their numbers in the store, newest first; `before` one of that number."""
        query = select(audit).order_by(audit.c.seq.desc()).limit(most)
        with self._database.reading() as connection:
            rows = connection.execute(query if before is None else query.where(audit.c.seq < before))
            return [(row.seq, _told(row)) for row in rows]

    def count(self) -> int:
        """How many records there are."""
        with self._database.reading() as connection:
            return int(connection.execute(select(func.count()).select_from(audit)).scalar_one())

    def verify(self, heads: Iterable[Head] = ()) -> list[Break]:
        """Where the chains break, held also to exported heads; empty where they hold."""
        with self._database.reading() as connection:
            first = _heads(connection, select(purged))
            return verify(self._keys, self._links(connection), {head.writer: head for head in heads}, first)

    def heads(self) -> list[Head]:
        """Where every chain ends, to be kept off this machine: at its last record, also where that was purged."""
        last = select(audit.c.writer, func.max(audit.c.number).label("number")).group_by(audit.c.writer).subquery()
        of_last = (audit.c.writer == last.c.writer, audit.c.number == last.c.number)
        ends = select(audit.c.writer, audit.c.number, audit.c.mac).join(last, and_(*of_last))
        with self._database.reading() as connection:
            return list({**_heads(connection, select(purged)), **_heads(connection, ends)}.values())

    def purge(self, before: float) -> int:
        """Remove what is older than a time, remembering where each chain then begins. Gives how many were removed."""
        with self._database.transaction(patient=True) as connection:
            hold(connection, "purge")
            last = func.max(audit.c.number)
            cut = connection.execute(select(audit.c.writer, last).where(audit.c.at < before).group_by(audit.c.writer))
            return sum(_cut(connection, writer, number) for writer, number in cut.all())

    @staticmethod
    def _links(connection: Connection) -> Iterator[Link]:
        """All records, by writer and number, a piece in memory at a time."""
        last, place = ("", 0), tuple_(audit.c.writer, audit.c.number)
        while True:
            query = select(audit).where(place > tuple_(*last)).order_by(audit.c.writer, audit.c.number).limit(PIECE)
            rows = connection.execute(query).all()
            for row in rows:
                yield Link(row.writer, row.number, row.at, row.call, row.event, row.record, row.mac)
            if len(rows) < PIECE:
                return
            last = (rows[-1].writer, rows[-1].number)


def _heads(connection: Connection, query: Select[Any]) -> dict[str, Head]:
    """Records of which a query gives writer, number and MAC, by writer."""
    return {row.writer: Head(row.writer, row.number, row.mac) for row in connection.execute(query)}


def _told(row: Any) -> dict[str, Any]:
    """A record as it is read: `call`, `event`, `at`, and what was recorded."""
    return {"call": row.call, "event": row.event, "at": row.at, **json.loads(row.record)}


def _start() -> Head:
    """Before the first record of a chain."""
    return Head(secrets.token_hex(8), 0, START)


def _cut(connection: Connection, writer: str, number: int) -> int:
    """Remove a writer's records up to this one, which is remembered. Gives how many were removed."""
    of_last = select(audit.c.mac).where(audit.c.writer == writer, audit.c.number == number)
    found = connection.execute(of_last).scalar_one()
    connection.execute(delete(purged).where(purged.c.writer == writer))
    connection.execute(insert(purged).values(writer=writer, number=number, mac=found))
    gone = (audit.c.writer == writer, audit.c.number <= number)
    return connection.execute(delete(audit).where(*gone)).rowcount
