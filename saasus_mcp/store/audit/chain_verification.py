"""Whether an audit is what was written: every chain from its first record or its purge mark on, and what is named elsewhere."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

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

ALTERED = "modified, inserted from another chain, or signed with a key that was not supplied"


@dataclass(frozen=True, slots=True)
class IntegrityReport:
    """What a verification found.

    Attributes:
        breaks: where the audit does not hold; empty where it does.
        records: how many were read.
        purged: what purges are proven to have removed, a mark a chain.
        own_key: whether one of the given keys is a key of this store; where it is not, nothing was verified.
        other_keys: the ids of keys of this store that were not given.
    """

    breaks: tuple[ChainBreak, ...] = ()
    records: int = 0
    purged: tuple[PurgeMark, ...] = ()
    own_key: bool = True
    other_keys: tuple[str, ...] = ()


def decode_heads(follows: object) -> list[ChainHead]:
    """The heads that a record names; none where its text was altered so that it says none, which its MAC shows."""
    try:
        found = json.loads(str(follows)) if follows else []
        return [ChainHead(writer, number, str(made)) for writer, number, made in found if _is_place(writer, number)]
    except (ValueError, TypeError, RecursionError):
        return []


def _is_place(writer: object, number: object) -> bool:
    return isinstance(writer, str) and isinstance(number, int)


def verify_chains(
    keys: MacKeys,
    links: Iterable[ChainRecord],
    marks: Iterable[PurgeMark],
    heads: Iterable[ChainHead],
    known: Iterable[ChainHead],
) -> IntegrityReport:
    """Judge the records of one store.

    Args:
        keys: of the store. A chain is its writer's, who had one key for all of it.
        links: all records, by writer and number.
        marks: what purges left behind.
        heads: exported heads: the chains must reach them and agree with them.
        known: the heads that records name.
    """
    exported, marks = list(heads), list(marks)
    proven = {mark.writer: mark for mark in marks if _proves(keys, mark)}
    breaks = [
        ChainBreak(mark.writer, mark.number, "purged without proof: the purge mark was not signed with a supplied key")
        for mark in marks
        if proven.get(mark.writer) is not mark
    ]
    wanted = [*exported, *known, *(mark.purge for mark in proven.values())]
    places: dict[tuple[str, int], str | None] = {(head.writer, head.number): None for head in wanted}
    walk = _Walk(keys, proven, places)
    breaks += walk.through(links)
    breaks += _unreached(exported, places, proven, "the exported head")
    breaks += _unreached(wanted[len(exported) :], places, proven, "a record that another record names")
    return IntegrityReport(tuple(dict.fromkeys(breaks)), walk.records, tuple(proven.values()))


class _Walk:
    """Goes through the records, chain by chain, and notes the MACs at the places that are asked for."""

    def __init__(
        self, keys: MacKeys, proven: Mapping[str, PurgeMark], places: dict[tuple[str, int], str | None]
    ) -> None:
        self._keys = keys
        self._proven = proven
        self._places = places
        self.records = 0

    def through(self, links: Iterable[ChainRecord]) -> Iterator[ChainBreak]:
        """Each place where a chain breaks."""
        writer, before, fit = "", ChainHead("", 0, GENESIS_MAC), self._keys
        for link in links:
            self.records += 1
            if link.writer != writer:
                writer, before, fit = link.writer, self._before(link.writer), self._keys
            if link.number != before.number + 1:
                yield ChainBreak(link.writer, before.number + 1, _gap(before.number, link.number))
            elif still := [key for key in fit if _holds(key, before.mac, link)]:
                fit = still
            else:
                yield ChainBreak(link.writer, link.number, ALTERED)
            before = ChainHead(link.writer, link.number, link.mac)
            if (link.writer, link.number) in self._places:
                self._places[link.writer, link.number] = link.mac

    def _before(self, writer: str) -> ChainHead:
        mark = self._proven.get(writer)
        return ChainHead(writer, mark.number, mark.mac) if mark else ChainHead(writer, 0, GENESIS_MAC)


def _gap(before: int, number: int) -> str:
    return f"missing: the next record is {number}" if number > before else f"out of place: record {number} follows"


def _holds(key: bytes, before: str, link: ChainRecord) -> bool:
    try:
        return hmac.compare_digest(link.mac, record_mac(key, before, link))
    except (AttributeError, TypeError, ValueError):  # SQLite keeps whatever it is given, in any column
        return False


def _proves(keys: MacKeys, mark: PurgeMark) -> bool:
    try:
        return any(hmac.compare_digest(mark.proof, purge_mark_mac(key, mark)) for key in keys)
    except (AttributeError, TypeError, ValueError):
        return False


def _unreached(
    heads: Iterable[ChainHead], places: Mapping[tuple[str, int], str | None], proven: Mapping[str, PurgeMark], what: str
) -> list[ChainBreak]:
    """The heads that the chains do not reach or do not agree with."""
    breaks = []
    for head in heads:
        found, mark = places[head.writer, head.number], proven.get(head.writer)
        if found is None and mark is not None and mark.number >= head.number:
            found = mark.mac if mark.number == head.number else head.mac
        if found is None:
            breaks.append(ChainBreak(head.writer, head.number, f"cut off: {what} is missing"))
        elif not hmac.compare_digest(str(found).encode(), str(head.mac).encode()):
            breaks.append(ChainBreak(head.writer, head.number, f"rewritten: it is not {what}"))
    return breaks
