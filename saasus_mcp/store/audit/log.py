"""The audit log: records are added in the transaction that they record, and are verified and purged here."""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from saasus_mcp.common.messages import message
from saasus_mcp.common.person import NOBODY, Person
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
from saasus_mcp.store.audit.reader import AuditReader, read_chain_records
from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.database.locks import acquire_lock
from saasus_mcp.store.database.prepared_statements import PreparedStatement
from saasus_mcp.store.database.schema import audit
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.people import PeopleDirectory
from saasus_mcp.store.records import HOUR

log = logging.getLogger(__name__)

AuditRecord = Mapping[str, Any]
_Entry = tuple[str, str, str, float]
"""Call, event, encoded record and time."""
BUSY_SECONDS = 9.0
"""Maximum wait for earlier records, about the database's own timeout."""

_INSERT = PreparedStatement.insert_into(audit, *ChainRecord._fields)


class _ChainEnd(NamedTuple):
    """The end of this writer's chain.

    Attributes:
        at: time of the last record.
        linked_at: when the chain last named other chains.
    """

    head: ChainHead
    at: float = 0.0
    linked_at: float = 0.0

    def is_plain(self, at: float) -> bool:
        """Return True if a record can be added as it is: the chain has begun, is not idle, and need not name others yet."""
        return bool(self.head.number) and at - self.linked_at < HOUR and at - self.at < cross_links.CHAIN_IDLE_SECONDS


class AuditLog(AuditReader):
    """The audit log of one SaaS.

    Each object writes its own chain, so that it knows the end of the chain without a query.

    Args:
        keys: the operator's keys. Without the key of the records, no chain can be verified.
        name: name of the store. Every MAC covers it.
    """

    def __init__(self, database: Database, keys: MacKeys, name: str) -> None:
        super().__init__(database)
        self._keys = derive_store_keys(keys, name)
        self.name = name
        self.people = PeopleDirectory(database)
        self._committed = self._end = _new_chain()
        self._waiting = deque[_Entry]()  # always the same one: a thread may add to it while another one writes
        self._lock = threading.Lock()

    @contextmanager
    def write_transaction(self, *, long_running: bool = False, durable: bool = False) -> Iterator[Connection]:
        """Run a transaction that adds to this writer's chain. One at a time, because each record builds on the last one.

        Args:
            long_running, durable: see `Database.transaction`.

        Raises:
            StoreError: the database fails. The chain is unchanged.
        """
        self._acquire()
        try:
            self._register_key()
            self._end = self._committed
            with self._database.transaction(long_running=long_running, durable=durable) as connection:
                yield connection
            self._committed = self._end
            self.people.settle(committed=True)
        except StoreError as error:
            if error.may_have_written:  # the record may exist or not, so no record may build on it
                self._committed = _new_chain()
            raise
        finally:
            self.people.settle(committed=False)
            self._lock.release()

    def _acquire(self) -> None:
        if not self._lock.acquire(timeout=BUSY_SECONDS):
            raise StoreError.of("store.busy")

    def append(self, connection: Connection, call: str, event: str, record: AuditRecord, *, at: float) -> None:
        """Add a record to this writer's chain, in a `write_transaction`.

        Raises:
            WrongKey: no key of this process belongs to the store.
        """
        at = float(at)
        if self.people.is_news(record, at):
            self.people.note(connection, record, at)
        follows = "" if self._end.is_plain(at) else self._link(connection, at)
        _INSERT.run(connection, self._next_row(call, event, encode_bounded(record), at, follows))

    def append_decision(self, connection: Connection, record: AuditRecord, *, at: float) -> str:
        """Add the record of a decision outside a call, as `append` does, and return the id that it gets."""
        call = secrets.token_hex(16)
        self.append(connection, call, "decided", record, at=at)
        return call

    def append_alone(self, call: str, event: str, record: AuditRecord, at: float) -> None:
        """Add a record without any other write, as for a read.

        Raises:
            WrongKey: no key of this process belongs to the store.
            StoreError: the database fails.
        """
        if not self._committed.is_plain(at) or self.people.is_news(record, at):
            with self.write_transaction() as connection:
                self.append(connection, call, event, record, at=at)
            return
        self._insert_alone((call, event, encode_bounded(record), float(at)))

    def append_soon(self, call: str, event: str, record: AuditRecord, at: float) -> int:
        """Add a record with the next one that is added alone, or in `append_waiting`, whichever comes first.

        Returns:
            The records that wait now, or 0 if this one must be added at once, because it needs another write or the database is
            not a file.
        """
        if not self._database.is_file or not self._committed.is_plain(at) or self.people.is_news(record, at):
            return 0
        entry, count = (call, event, encode_bounded(record), float(at)), len(self._waiting) + 1
        self._waiting.append(entry)
        return count

    @property
    def has_waiting(self) -> bool:
        """Whether records wait for `append_waiting`."""
        return bool(self._waiting)

    def append_waiting(self) -> None:
        """Add the records that wait, or let another thread finish that adds them. A record that cannot be added is logged."""
        if self._waiting or self._lock.locked():
            with suppress(StoreError):
                self._insert_alone()

    def _insert_alone(self, *entries: _Entry) -> None:
        """Add the records that wait, and then these, in a transaction of their own."""
        self._acquire()
        waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            if not waiting and not entries:
                return
            self._end = self._committed if self._committed.head.number else _new_chain()
            self._database.execute_alone(_INSERT, *[self._next_row(*entry) for entry in (*waiting, *entries)])
            self._committed = self._end
        except BaseException as error:
            self._committed = _new_chain()  # the records may exist or not: no record may build on them
            for call, event, text, _ in waiting:
                log.error("the record of call %s (%s) could not be added: %s %s", call, event, error, text)  # noqa: TRY400 - the record matters, not the trace
            raise
        finally:
            self._lock.release()

    @staticmethod
    def has_ended(connection: Connection, call: str, at: float) -> bool:
        """Return whether the end of a call was recorded with this time."""
        ended = audit.c.at == float(at), audit.c.call == call, audit.c.event == "ended"
        return connection.execute(select(audit.c.number).where(*ended)).first() is not None

    def require_key(self) -> bool:
        """Check that this process may write here, and return True if the store has keys.

        Raises:
            WrongKey: no key of this process belongs to the store.
        """
        with self._database.transaction() as connection:
            return keys.require_store_key(connection, self._keys, self.name)

    def _register_key(self) -> None:
        """Register the key before the first record of a chain, and record a change of key.

        It has a transaction of its own, so that the first record of a server does not wait for that of another.
        """
        if self._committed.head.number:
            return
        self._end = _new_chain()  # not the committed one: if this fails, its record may exist or not
        with self._database.transaction() as connection:
            if keys.register_key(connection, self._keys, self.name):
                record = {"action": "key_change", "principal": "configuration", "key": key_id(self._keys[0])}
                self.append_decision(connection, record, at=time.time())
        if self._end.head.number:
            self._committed = self._end

    def _link(self, connection: Connection, at: float) -> str:
        """Return `follows` of a record that starts a chain, or that names other chains after an hour."""
        if at - self._end.at >= cross_links.CHAIN_IDLE_SECONDS:
            self._end = _new_chain()
        self._end = self._end._replace(linked_at=at)
        return cross_links.link_other_chains(connection, self._end.head.writer, at)

    def _next_row(self, call: str, event: str, text: str, at: float, follows: str = "") -> dict[str, Any]:
        """Return the row of this writer's next record, and move the end of the chain to it."""
        head = self._end.head
        record = ChainRecord(head.writer, head.number + 1, at, call, event, text, follows, "")
        mac = record_mac(self._keys[0], head.mac, record)
        self._end = _ChainEnd(ChainHead(record.writer, record.number, mac), at, self._end.linked_at)
        row = record._asdict()
        row["mac"] = mac
        return row

    def find_breaks(self, heads: Iterable[ChainHead] = ()) -> list[ChainBreak]:
        """Return the faults of the audit log, checked against exported heads too. Empty for an intact one."""
        return list(self.verify_integrity(heads).breaks)

    def verify_integrity(self, heads: Iterable[ChainHead] = ()) -> IntegrityReport:
        """Verify the audit log, against exported heads too."""
        own = {key_id(key) for key in self._keys}
        with self._database.read_transaction() as connection:
            known = keys.list_key_ids(connection)
            linking_rows = connection.execute(select(audit.c.follows).where(audit.c.follows != ""))
            linked = [head for row in linking_rows for head in decode_heads(row.follows)]
            marks = purge.read_purge_marks(connection)
            report = verify_chains(self._keys, read_chain_records(connection), marks, exported=heads, linked=linked)
        breaks = report.breaks
        if (report.records or report.purged) and not known:
            breaks = (ChainBreak("", 0, message("store.break.key_id_removed")), *breaks)
        others = tuple(sorted(set(known) - own))
        if known and not own & set(known):
            other_key = ChainBreak("", 0, message("store.break.other_key", keys=known))
            return IntegrityReport((other_key,), report.records, own_key=False, other_keys=others)
        return replace(report, breaks=breaks, other_keys=others)

    def purge(self, before: float, *, by: str, at: float, person: Person = NOBODY) -> int:
        """Delete records older than a time, with a mark for each chain and a record of the purge.

        Returns:
            The number of deleted records.

        Raises:
            StoreError: the audit log fails verification, and a purge could remove the evidence.
        """
        if self.find_breaks():
            raise StoreError.of("store.audit_purge_refused")
        who = {"action": "purge", "principal": by, **person.to_audit()}
        return sum(self._purge_part(until, who, float(at)) for until in purge.split_purge(self._database, before))

    def _purge_part(self, before: float, who: AuditRecord, at: float) -> int:
        removed = 0
        with self.write_transaction(long_running=True) as connection:
            acquire_lock(connection, "purge")
            for marks in purge.plan_purge(connection, before, str(who["principal"]), at):
                numbers = {"before": before, "chains": len(marks), "records": purge.count_purged(connection, marks)}
                heads = cross_links.encode_heads(ChainHead(mark.writer, mark.number, mark.mac) for mark in marks)
                self._append_purge(connection, {**who, **numbers}, heads, at)
                recorded = (replace(mark, purge=self._end.head) for mark in marks)
                signed = tuple(replace(mark, proof=purge_mark_mac(self._keys[0], mark)) for mark in recorded)
                removed += purge.execute_purge(connection, signed)
        return removed

    def _append_purge(self, connection: Connection, record: AuditRecord, removed: str, at: float) -> None:
        """Add the record of a purge, which names the removed heads."""
        if not self._end.is_plain(at) and (follows := self._link(connection, at)):
            removed = json.dumps([*json.loads(follows), *json.loads(removed)], separators=(",", ":"))
        row = self._next_row(secrets.token_hex(16), "decided", encode_bounded(record), at, removed)
        _INSERT.run(connection, row)


def _new_chain() -> _ChainEnd:
    return _ChainEnd(ChainHead(secrets.token_hex(8), 0, GENESIS_MAC))
