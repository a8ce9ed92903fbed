"""The audit's chain: each record carries a MAC over itself and the one before, per writer, under a key of the operator's.

An altered, removed or reordered record breaks the chain. Cutting off the end of it cannot be seen from within: for that,
heads are exported and compared.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

START = "0" * 64
Keys = Sequence[bytes]
"""Newest first: the first one is written with, every one is read with."""


@dataclass(frozen=True, slots=True)
class Link:
    """One audit record in its chain. `number` counts from 1 for each writer; `record` is the JSON text as stored."""

    writer: str
    number: int
    at: float
    call: str
    event: str
    record: str
    mac: str


@dataclass(frozen=True, slots=True)
class Head:
    """The last record of a writer: exported off the machine, it shows whether the chain was cut."""

    writer: str
    number: int
    mac: str


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain does not hold, and how."""

    writer: str
    number: int
    fault: str


def mac(key: bytes, before: str, link: Link) -> str:
    """The MAC of a record after the one whose MAC is `before`."""
    parts = (before, link.writer, str(link.number), repr(link.at), link.call, link.event, link.record)
    message = b"".join(len(part.encode()).to_bytes(8, "big") + part.encode() for part in parts)
    return hmac.digest(key, message, "sha256").hex()


def verify(keys: Keys, links: Iterable[Link], heads: Mapping[str, Head], first: Mapping[str, Head]) -> list[Break]:
    """Where the chains of the records break; empty where they hold.

    A chain is its writer's, who had one key for all of it: it must hold under one of the keys from end to end.

    Args:
        links: all records, by writer and number.
        heads: the last exported head of each writer: the chain must reach it and agree with it.
        first: what a purge left behind of each writer: the last record it removed.
    """
    breaks: list[Break] = []
    last: dict[str, Head] = dict(first)
    under: dict[str, Keys] = {}
    seen: dict[tuple[str, int], str] = {(head.writer, head.number): head.mac for head in first.values()}
    for link in links:
        before = last.get(link.writer, Head(link.writer, 0, START))
        if link.number != before.number + 1:
            breaks.append(Break(link.writer, before.number + 1, f"missing: the next record is {link.number}"))
        elif fit := [key for key in under.get(link.writer, keys) if _holds(key, before.mac, link)]:
            under[link.writer] = fit
        else:
            breaks.append(
                Break(link.writer, link.number, "altered, put in from elsewhere, or of a key that is not given")
            )
        last[link.writer] = Head(link.writer, link.number, link.mac)
        seen[link.writer, link.number] = link.mac
    return breaks + _unreached(heads, seen, first)


def _holds(key: bytes, before: str, link: Link) -> bool:
    return hmac.compare_digest(link.mac, mac(key, before, link))


def _unreached(
    heads: Mapping[str, Head], seen: Mapping[tuple[str, int], str], first: Mapping[str, Head]
) -> list[Break]:
    """The exported heads that the chains do not reach or do not agree with."""
    breaks = []
    for head in heads.values():
        found = seen.get((head.writer, head.number))
        covered = first.get(head.writer)
        if found is None and not (covered and covered.number >= head.number):
            breaks.append(Break(head.writer, head.number, "cut off: the exported head is not there"))
        elif found is not None and not hmac.compare_digest(found, head.mac):
            breaks.append(Break(head.writer, head.number, "rewritten: it is not the exported head"))
    return breaks
