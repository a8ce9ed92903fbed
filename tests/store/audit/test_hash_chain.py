"""The MACs of the audit log cover all that they speak for: no field can be changed, and no text moved into the next field."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from saasus_mcp.store.audit.hash_chain import GENESIS_MAC, ChainHead, ChainRecord, PurgeMark, purge_mark_mac, record_mac

KEY = b"k" * 32
NOW = 1_790_000_000.0
RECORD = ChainRecord("w1", 2, NOW, "call-1", "begun", '{"operation":"auth.GetTenants"}', '[["w2",1,"00"]]', "")
MARK = PurgeMark("w1", 2, "00", NOW, "local:me", ChainHead("w2", 7, "11"))


def changed(value: Any) -> Any:
    """Return another value of the same kind."""
    match value:
        case ChainHead():
            return value._replace(number=value.number + 1)
        case str():
            return value + "x"
        case _:
            return value + 1


@pytest.mark.parametrize("name", [each for each in ChainRecord._fields if each != "mac"])
def test_no_field_of_a_record_can_be_changed(name: str) -> None:
    other = RECORD._replace(**{name: changed(getattr(RECORD, name))})
    assert record_mac(KEY, GENESIS_MAC, other) != record_mac(KEY, GENESIS_MAC, RECORD)


@pytest.mark.parametrize("name", [each.name for each in fields(PurgeMark) if each.name != "proof"])
def test_no_field_of_a_purge_mark_can_be_changed(name: str) -> None:
    assert purge_mark_mac(KEY, replace(MARK, **{name: changed(getattr(MARK, name))})) != purge_mark_mac(KEY, MARK)


@pytest.mark.parametrize("name", ChainHead._fields)
def test_no_field_of_the_record_that_a_purge_mark_names_can_be_changed(name: str) -> None:
    other = replace(MARK, purge=MARK.purge._replace(**{name: changed(getattr(MARK.purge, name))}))
    assert purge_mark_mac(KEY, other) != purge_mark_mac(KEY, MARK)


def test_a_record_cannot_follow_another_one_than_it_did() -> None:
    assert record_mac(KEY, "1" * 64, RECORD) != record_mac(KEY, GENESIS_MAC, RECORD)
