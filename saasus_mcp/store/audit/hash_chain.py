"""The values of the audit's chains, and the MACs over them. ARCHITECTURE.md, "The audit", says what they prove.

Every MAC is made under a key of one store, so that what was written in one SaaS proves nothing in another.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

GENESIS_MAC = "0" * 64
"""The MAC before the first record of a chain."""
MacKeys = Sequence[bytes]
"""Newest first: the first one is written with, every one is read with."""
KEY_ID_LENGTH = 16


@dataclass(frozen=True, slots=True)
class ChainRecord:
    """One audit record in its chain.

    Attributes:
        writer: whose chain it is.
        number: counts from 1 for each writer.
        at: epoch seconds.
        record: the JSON text as stored.
        follows: JSON text: the heads of other chains that this record names; empty where it names none.
    """

    writer: str
    number: int
    at: float
    call: str
    event: str
    record: str
    follows: str
    mac: str


@dataclass(frozen=True, slots=True)
class ChainHead:
    """A record by its place and MAC. The last one of a writer, kept elsewhere, shows whether its chain was cut."""

    writer: str
    number: int
    mac: str


@dataclass(frozen=True, slots=True)
class PurgeMark:
    """What purges removed of one chain: its first `number` records.

    Attributes:
        mac: of the last record removed.
        at: when, in epoch seconds.
        by: the principal who purged.
        purge: the record of that purge in the audit.
        proof: the MAC over all of it.
    """

    writer: str
    number: int
    mac: str
    at: float
    by: str
    purge: ChainHead
    proof: str = ""


@dataclass(frozen=True, slots=True)
class ChainBreak:
    """Where the audit does not hold, and how. `writer` is empty where it is no single chain."""

    writer: str
    number: int
    fault: str


def derive_store_keys(keys: MacKeys, store: str) -> tuple[bytes, ...]:
    """The keys of one store, by its name, in their order."""
    return tuple(_mac(key, "store", store) for key in keys)


def key_id(key: bytes) -> str:
    """What tells a store's key from another. It says nothing about the key, and only who has the key can make it."""
    return _mac(key, "key id").hex()[:KEY_ID_LENGTH]


def record_mac(key: bytes, before: str, link: ChainRecord) -> str:
    """The MAC of a record after the one whose MAC is `before`."""
    place = (before, link.writer, str(link.number), repr(float(link.at)))
    return _mac(key, "record", *place, link.call, link.event, link.record, link.follows).hex()


def purge_mark_mac(key: bytes, mark: PurgeMark) -> str:
    """The MAC of a purge mark."""
    removed = (mark.writer, str(mark.number), mark.mac, repr(float(mark.at)), mark.by)
    return _mac(key, "purge", *removed, mark.purge.writer, str(mark.purge.number), mark.purge.mac).hex()


def _mac(key: bytes, *parts: str) -> bytes:
    """HMAC-SHA256 over texts, each with its length, so that none can be taken for parts of another."""
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return hmac.digest(key, b"".join(len(part).to_bytes(8, "big") + part for part in encoded), "sha256")
