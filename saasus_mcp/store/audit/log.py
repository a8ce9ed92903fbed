"""The audit: written within the transaction that it records, read, verified and purged."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select, tuple_

from saasus_mcp.store.audit import cross_links, keys, purge
from saasus_mcp.store.audit.chain_verification import IntegrityReport, decode_heads, verify_chains
from saasus_mcp.store.audit.excerpts import encode_bounded
from saasus_mcp.store.audit.hash_chain import (
    GENESIS_MAC,
    ChainBreak,
    ChainHead,
    ChainRecord,
    MacKeys,
    derive_store_keys,
    key_id,
    purge_mark_mac,
    record_mac,
)
from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.database.locks import acquire_lock
from saasus_mcp.store.database.prepared_statements import PreparedStatement
from saasus_mcp.store.database.schema import audit
from saasus_mcp.store.retention import HOUR
from saasus_mcp.store.state_files import StoreError

Record = Mapping[str, Any]
BUSY_SECONDS = 9.0
"""For which a record waits for those before it, no longer than for the database itself."""
BATCH_SIZE = 1_000
"""Records that are read at once."""

_ADD = PreparedStatement.insert_into(audit, *ChainRecord.__slots__)
_PLACE = (audit.c.at, audit.c.writer, audit.c.number)
"""The order in which records are shown. All three are in each record's MAC."""


EVENTS = frozenset({"begun", "ended", "refused", "decided"})
_LATEST = 4e9
"""The latest time that is believed, in epoch seconds: in the year 2096."""


@dataclass(frozen=True, slots=True)
class RecordPosition:
    """Where a record is in the order in which records are shown."""

    at: float
    writer: str
    number: int


@dataclass(frozen=True, slots=True)
class _End:
    """Where this writer's chain ends: `at`, the time of its last record; `followed`, when it last named other chains."""

    head: ChainHead
    at: float = 0.0
    followed: float = 0.0

    def plain(self, at: float) -> bool:
        """Whether a record can simply be added: the chain is begun, goes on, and need not name others yet."""
        return bool(self.head.number) and at - self.followed < HOUR and at - self.at < cross_links.CHAIN_IDLE_SECONDS


class AuditLog:
    """The audit of one SaaS.

    Each object is a writer of its own, so that it alone knows where its chain ends and need not look.

    Args:
        keys: the operator's: without the one that it was written with, no chain holds.
        name: of the store, which every MAC covers.
    """

    def __init__(self, database: Database, keys: MacKeys, name: str) -> None:
        self._database = database
        self._keys = derive_store_keys(keys, name)
        self.name = name
        self._kept = self._end = _start()
        self._lock = threading.Lock()

    @contextmanager
    def write_transaction(self, *, patient: bool = False) -> Iterator[Connection]:
        """A transaction that adds to this writer's chain; one at a time, since each record builds on the one before.

        Raises:
            StoreError: the database cannot do it; the chain is as it was.
        """
        self._wait()
        written = False
        try:
            self._admit()
            self._end = self._kept
            with self._database.transaction(patient=patient) as connection:
                yield connection
                written = True
            self._kept = self._end
        except StoreError:
            if written:  # it failed in its last step: the record may be there or not, so nothing is built on it
                self._kept = _start()
            raise
        finally:
            self._lock.release()

    def _wait(self) -> None:
        if not self._lock.acquire(timeout=BUSY_SECONDS):
            raise StoreError(
                "The store cannot be used: earlier calls are waiting for it.", "Check that its database answers."
            )

    def append(self, connection: Connection, call: str, event: str, record: Record, at: float) -> None:
        """Add a record to this writer's chain, in the transaction of what it records (see `writing`).

        Raises:
            WrongKey: this process has no key of this store.
        """
        follows, at = "", float(at)
        if not self._end.plain(at):
            follows = self._follow(connection, at)
        _ADD.execute(connection, self._next(call, event, encode_bounded(record), at, follows))

    def append_alone(self, call: str, event: str, record: Record, at: float) -> None:
        """Add a record beside which nothing is to be written, as of a read.

        Raises:
            WrongKey: this process has no key of this store.
            StoreError: the database cannot do it.
        """
        if not self._kept.plain(at):
            with self.write_transaction() as connection:
                self.append(connection, call, event, record, at)
            return
        text = encode_bounded(record)
        self._wait()
        try:
            self._end = self._kept if self._kept.head.number else _start()
            row = self._next(call, event, text, float(at), "")
            self._kept = _start()  # should it fail, the record may be there or not, so nothing is built on it
            self._database.execute_alone(_ADD, row)
            self._kept = self._end
        finally:
            self._lock.release()

    def require_key(self) -> bool:
        """See that this process may write here. Gives whether the store was written to before.

        Raises:
            WrongKey: none of its keys is a key of this store.
        """
        with self._database.transaction() as connection:
            return keys.require_store_key(connection, self._keys, self.name)

    def _admit(self) -> None:
        """Before the first record of a chain: see that this process has a key of the store, and record a change of it.

        It is a transaction of its own, so that no first record of a server waits for that of another.
        """
        if self._kept.head.number:
            return
        self._end = _start()  # another than the one kept: should this fail, its record may be there or not
        with self._database.transaction() as connection:
            if keys.register_key(connection, self._keys, self.name):
                told = {"deed": "key_change", "principal": "configuration", "key": key_id(self._keys[0])}
                self.append(connection, secrets.token_hex(16), "decided", told, time.time())
        if self._end.head.number:
            self._kept = self._end

    def _follow(self, connection: Connection, at: float) -> str:
        """What a record says that begins a chain, or names others after an hour."""
        if at - self._end.at >= cross_links.CHAIN_IDLE_SECONDS:
            self._end = _start()
        self._end = replace(self._end, followed=at)
        return cross_links.link_other_chains(connection, self._end.head.writer, at)

    def _next(self, call: str, event: str, text: str, at: float, follows: str) -> dict[str, Any]:
        """The row of this writer's next record, with which the chain then ends."""
        head = self._end.head
        link = ChainRecord(head.writer, head.number + 1, at, call, event, text, follows, "")
        made = record_mac(self._keys[0], head.mac, link)
        self._end = replace(self._end, head=ChainHead(link.writer, link.number, made), at=at)
        return {name: getattr(link, name) for name in ChainRecord.__slots__} | {"mac": made}

    # -- reading ---------------------------------------------------------------------------------------------------

    def iterate_records(self, since: float = 0.0) -> Iterator[dict[str, Any]]:
        """Every audit record since a time, oldest first, a piece in memory at a time."""
        with self._database.read_transaction() as connection:
            query = select(audit).where(audit.c.at >= since).order_by(*_PLACE)
            for row in connection.execute(query, execution_options={"yield_per": BATCH_SIZE}):
                yield _told(row)

    def list_records(self, since: float = 0.0) -> list[dict[str, Any]]:
        """Every audit record since a time, oldest first: `call`, `event`, `at`, and what was recorded."""
        return list(self.iterate_records(since))

    def newest_records(
        self, most: int, before: RecordPosition | None = None
    ) -> list[tuple[RecordPosition, dict[str, Any]]]:
        """The newest records with their places, newest first; `before` one of that place."""
        query = select(audit).order_by(*(column.desc() for column in _PLACE)).limit(most)
        if before is not None:
            query = query.where(tuple_(*_PLACE) < tuple_(before.at, before.writer, before.number))
        with self._database.read_transaction() as connection:
            return [(RecordPosition(row.at, row.writer, row.number), _told(row)) for row in connection.execute(query)]

    def count_records(self) -> int:
        """How many records there are."""
        with self._database.read_transaction() as connection:
            return int(connection.execute(select(func.count()).select_from(audit)).scalar_one())

    def chain_heads(self) -> list[ChainHead]:
        """Where every chain ends, to be kept off this machine: at its last record, also where that was purged."""
        last = select(audit.c.writer, func.max(audit.c.number).label("number")).group_by(audit.c.writer).subquery()
        of_last = and_(audit.c.writer == last.c.writer, audit.c.number == last.c.number)
        query = select(audit.c.writer, audit.c.number, audit.c.mac).select_from(audit.join(last, of_last))
        with self._database.read_transaction() as connection:
            ends = {
                mark.writer: ChainHead(mark.writer, mark.number, mark.mac)
                for mark in purge.read_purge_marks(connection)
            }
            ends |= {row.writer: ChainHead(*row) for row in connection.execute(query)}
        return list(ends.values())

    # -- proving ---------------------------------------------------------------------------------------------------

    def find_breaks(self, heads: Iterable[ChainHead] = ()) -> list[ChainBreak]:
        """Where the audit does not hold, held also to exported heads; empty where it does."""
        return list(self.verify_integrity(heads).breaks)

    def verify_integrity(self, heads: Iterable[ChainHead] = ()) -> IntegrityReport:
        """What a verification finds, held also to exported heads."""
        own = {key_id(key) for key in self._keys}
        with self._database.read_transaction() as connection:
            known = keys.list_key_ids(connection)
            following_rows = connection.execute(select(audit.c.follows).where(audit.c.follows != ""))
            elsewhere = [head for row in following_rows for head in decode_heads(row.follows)]
            found = verify_chains(self._keys, _links(connection), purge.read_purge_marks(connection), heads, elsewhere)
        breaks = found.breaks
        if (found.records or found.purged) and not known:
            breaks = (ChainBreak("", 0, "the id of the key that it was written under was removed"), *breaks)
        others = tuple(sorted(set(known) - own))
        if known and not own & set(known):
            foreign = ChainBreak(
                "", 0, f"not verified: the sealing key in use is not a key of this store ({', '.join(known)})"
            )
            return IntegrityReport((foreign,), found.records, own_key=False, other_keys=others)
        return replace(found, breaks=breaks, other_keys=others)

    def purge(self, before: float, *, by: str, at: float) -> int:
        """Remove what is older than a time, with a mark for each chain and a record of the purge. Gives how many went.

        Raises:
            StoreError: the audit does not hold, and a purge could remove the traces of that.
        """
        if self.find_breaks():
            raise StoreError(
                "The audit log failed verification. Nothing was purged, because a purge could remove the evidence.",
                "See `saasus-mcp audit verify`. To start a new audit log, move the store elsewhere and keep it.",
            )
        removed = 0
        with self.write_transaction(patient=True) as connection:
            acquire_lock(connection, "purge")
            for marks in purge.plan_purge(connection, before, by, float(at)):
                told = {"deed": "purge", "principal": by, "before": before, "chains": len(marks)}
                told["records"] = purge.count_purged(connection, marks)
                self._note_purge(
                    connection, told, cross_links.encode_heads(ChainHead(m.writer, m.number, m.mac) for m in marks), at
                )
                made = (replace(mark, purge=self._end.head) for mark in marks)
                signed = tuple(replace(mark, proof=purge_mark_mac(self._keys[0], mark)) for mark in made)
                removed += purge.execute_purge(connection, signed)
        return removed

    def _note_purge(self, connection: Connection, told: Record, removed: str, at: float) -> None:
        """Add the record of a purge, which names what it removed."""
        at = float(at)
        if not self._end.plain(at) and (follows := self._follow(connection, at)):
            heads = [*json.loads(follows), *json.loads(removed)]
            removed = json.dumps(heads, separators=(",", ":"))
        _ADD.execute(connection, self._next(secrets.token_hex(16), "decided", encode_bounded(told), at, removed))


def _links(connection: Connection) -> Iterator[ChainRecord]:
    """All records, by writer and number, a piece in memory at a time."""
    query = select(audit).order_by(audit.c.writer, audit.c.number)
    for row in connection.execute(query, execution_options={"yield_per": BATCH_SIZE}):
        values = {name: getattr(row, name) for name in ChainRecord.__slots__}
        if not isinstance(values["number"], int):  # SQLite keeps whatever it is given
            values["number"] = 0
        yield ChainRecord(**values)


def _told(row: Row[Any]) -> dict[str, Any]:
    """A record as it is read: `call`, `event`, `at`, and what was recorded."""
    sound = row.event in EVENTS and isinstance(row.at, float) and 0 <= row.at <= _LATEST
    try:
        record = dict(json.loads(row.record))
    except (ValueError, TypeError, RecursionError):
        record, sound = {}, False
    if not sound:  # it is shown where it is seen, and breaks nothing
        at = row.at if isinstance(row.at, float) and 0 <= row.at <= _LATEST else _LATEST
        altered = {"unreadable": "this record was altered; run `saasus-mcp audit verify`"}
        return {**altered, "call": str(row.call), "event": "refused", "at": at}
    return {**record, "call": str(row.call), "event": row.event, "at": row.at}


def _start() -> _End:
    """Before the first record of a chain."""
    return _End(ChainHead(secrets.token_hex(8), 0, GENESIS_MAC))
