"""Verification of hash chains: from the first record or the purge mark, with the heads that other records or exports name."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from saasus_mcp.common.messages import message, one_of
from saasus_mcp.store.audit.hash_chain import (
    GENESIS_MAC,
    ChainBreak,
    ChainHead,
    ChainRecord,
    MacKeys,
    PurgeMark,
    purge_mark_mac,
    record_mac,
)

_Positions = dict[tuple[str, int], str | None]
"""MACs by writer and number; None until the record is found."""


@dataclass(frozen=True, slots=True)
class IntegrityReport:
    """The result of a verification.

    Attributes:
        breaks: the faults; empty for an intact audit log.
        records: the number of records.
        purged: the proven purges, one mark for each chain.
        own_key: a given key belongs to the store. Otherwise nothing was verified.
        other_keys: ids of keys of the store that were not given.
    """

    breaks: tuple[ChainBreak, ...] = ()
    records: int = 0
    purged: tuple[PurgeMark, ...] = ()
    own_key: bool = True
    other_keys: tuple[str, ...] = ()


def decode_heads(follows: object) -> list[ChainHead]:
    """Return the heads that a record names. An altered text may give none; the MAC of its record shows that."""
    try:
        rows = json.loads(str(follows)) if follows else []
        return [
            ChainHead(writer, number, str(mac))
            for writer, number, mac in rows
            if isinstance(writer, str) and isinstance(number, int)
        ]
    except (ValueError, TypeError, RecursionError):
        return []


def verify_chains(
    keys: MacKeys,
    records: Iterable[ChainRecord],
    marks: Iterable[PurgeMark],
    *,
    exported: Iterable[ChainHead],
    linked: Iterable[ChainHead],
) -> IntegrityReport:
    """Verify the records of one store.

    Args:
        keys: keys of the store. All records of one chain have the same key.
        records: all records, by writer and number.
        marks: marks of purges.
        exported: exported heads, which the chains must contain.
        linked: heads that records name.
    """
    exported, marks = list(exported), list(marks)
    proven = {mark.writer: mark for mark in marks if _is_proven(keys, mark)}
    breaks = [
        ChainBreak(mark.writer, mark.number, message("store.break.unproven_purge"))
        for mark in marks
        if proven.get(mark.writer) is not mark
    ]
    linked = [*linked, *(mark.purge for mark in proven.values())]
    positions: _Positions = {(head.writer, head.number): None for head in (*exported, *linked)}
    walk = _ChainWalk(keys, proven, positions)
    breaks += walk.find_breaks(records)
    breaks += _missing_heads(exported, positions, proven, "exported")
    breaks += _missing_heads(linked, positions, proven, "linked")
    unique: dict[tuple[str, int, str], ChainBreak] = {}
    for each in breaks:
        unique.setdefault((each.writer, each.number, str(each.fault)), each)
    return IntegrityReport(tuple(unique.values()), walk.records, tuple(proven.values()))


class _ChainWalk:
    """A walk over the records, chain by chain, that collects the MACs at the given positions."""

    def __init__(self, keys: MacKeys, proven: Mapping[str, PurgeMark], positions: _Positions) -> None:
        self._keys = keys
        self._proven = proven
        self._positions = positions
        self.records = 0

    def find_breaks(self, records: Iterable[ChainRecord]) -> Iterator[ChainBreak]:
        """Yield the breaks of each chain."""
        writer, before, fitting = "", ChainHead("", 0, GENESIS_MAC), self._keys
        for record in records:
            self.records += 1
            if record.writer != writer:
                writer, before, fitting = record.writer, self._start(record.writer), self._keys
            if record.number != before.number + 1:
                late = record.number > before.number
                fault = message("store.break.missing" if late else "store.break.out_of_place", next=record.number)
                yield ChainBreak(record.writer, before.number + 1, fault)
            elif still_fitting := [key for key in fitting if _has_mac(key, before.mac, record)]:
                fitting = still_fitting
            else:
                yield ChainBreak(record.writer, record.number, message("store.break.altered"))
            before = ChainHead(record.writer, record.number, record.mac)
            if (record.writer, record.number) in self._positions:
                self._positions[record.writer, record.number] = record.mac

    def _start(self, writer: str) -> ChainHead:
        mark = self._proven.get(writer)
        return ChainHead(writer, mark.number, mark.mac) if mark else ChainHead(writer, 0, GENESIS_MAC)


def _has_mac(key: bytes, before: str, record: ChainRecord) -> bool:
    try:
        return hmac.compare_digest(record.mac, record_mac(key, before, record))
    except (AttributeError, TypeError, ValueError):  # SQLite stores any type in any column
        return False


def _is_proven(keys: MacKeys, mark: PurgeMark) -> bool:
    try:
        return any(hmac.compare_digest(mark.proof, purge_mark_mac(key, mark)) for key in keys)
    except (AttributeError, TypeError, ValueError):
        return False


def _missing_heads(
    heads: Iterable[ChainHead], positions: _Positions, proven: Mapping[str, PurgeMark], kind: str
) -> Iterator[ChainBreak]:
    """Yield a break for each head that the chains do not contain."""
    for head in heads:
        mac, mark = positions[head.writer, head.number], proven.get(head.writer)
        if mac is None and mark is not None and mark.number >= head.number:
            mac = mark.mac if mark.number == head.number else head.mac
        if mac is None:
            yield ChainBreak(head.writer, head.number, one_of("store.cut_off", kind))
        elif not hmac.compare_digest(str(mac).encode(), str(head.mac).encode()):
            yield ChainBreak(head.writer, head.number, one_of("store.rewritten", kind))
