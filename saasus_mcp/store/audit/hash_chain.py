"""Hash chains of audit records, and the MACs over them. See ARCHITECTURE.md, "The audit log", for what they prove.

Every MAC uses a key derived for one store, so that a record of one SaaS proves nothing in another.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from saasus_mcp.common.messages import Message

GENESIS_MAC = "0" * 64
"""The MAC before the first record of a chain."""
MacKeys = Sequence[bytes]
"""Newest first. The first key signs; every key verifies."""
KEY_ID_LENGTH = 16


class ChainRecord(NamedTuple):
    """One audit record in its chain.

    Attributes:
        writer: the chain.
        number: counts from 1 in each chain.
        at: epoch seconds.
        record: the JSON text as stored.
        follows: JSON text of the heads of other chains that this record names; may be empty.
    """

    writer: str
    number: int
    at: float
    call: str
    event: str
    record: str
    follows: str
    mac: str


class ChainHead(NamedTuple):
    """The position and MAC of a record. An exported head of a chain shows whether the chain was cut later."""

    writer: str
    number: int
    mac: str


@dataclass(frozen=True, slots=True)
class PurgeMark:
    """The proof of a purge of the first `number` records of a chain.

    Attributes:
        mac: MAC of the last removed record.
        at: time of the purge in epoch seconds.
        by: the principal who purged.
        purge: the audit record of the purge.
        proof: MAC over all fields.
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
    """A position at which verification failed, and the fault. `writer` is empty if the fault is in no single chain."""

    writer: str
    number: int
    fault: Message


def derive_store_keys(keys: MacKeys, store: str) -> tuple[bytes, ...]:
    """Return the keys of one store, derived from its name."""
    return tuple(_mac(key, "store", store) for key in keys)


def key_id(key: bytes) -> str:
    """Return the id of a key. It reveals nothing about the key, and only the owner of the key can compute it."""
    return _mac(key, "key id").hex()[:KEY_ID_LENGTH]


def record_mac(key: bytes, before: str, record: ChainRecord) -> str:
    """Return the MAC of a record that follows the record with the MAC `before`."""
    position = (before, record.writer, str(record.number), repr(float(record.at)))
    return _mac(key, "record", *position, record.call, record.event, record.record, record.follows).hex()


def purge_mark_mac(key: bytes, mark: PurgeMark) -> str:
    """Return the MAC of a purge mark."""
    removed = (mark.writer, str(mark.number), mark.mac, repr(float(mark.at)), mark.by)
    return _mac(key, "purge", *removed, mark.purge.writer, str(mark.purge.number), mark.purge.mac).hex()


def _mac(key: bytes, *parts: str) -> bytes:
    """Return HMAC-SHA256 over texts, each with its length, so that different texts never give the same input."""
    content = bytearray()
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        content += len(encoded).to_bytes(8, "big") + encoded
    return hmac.digest(key, content, "sha256")
