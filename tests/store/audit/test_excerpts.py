"""Audit records of bounded size: short ones as they are, of long values the digest, the length and the beginning."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from saasus_mcp.store.audit.excerpts import MAX_RECORD_BYTES, contains_excerpt, encode_bounded


def test_a_short_record_is_stored_as_it_is() -> None:
    record = {"operation": "auth.GetRoles", "arguments": {"name": "青空" * 100}, "groups": ["a", "b"]}
    assert json.loads(encode_bounded(record)) == record
    assert not contains_excerpt(record)


def test_of_a_long_text_there_is_digest_length_and_beginning_and_the_rest_stays() -> None:
    text = "界" * 1_000_000
    stored = json.loads(
        encode_bounded({"operation": "auth.CreateRole", "arguments": {"name": "r", "display_name": text}})
    )
    assert stored["operation"] == "auth.CreateRole"
    assert stored["arguments"]["name"] == "r"
    found = stored["arguments"]["display_name"]
    assert found == {"sha256": hashlib.sha256(text.encode()).hexdigest(), "length": 1_000_000, "beginning": "界" * 200}
    assert contains_excerpt(stored)


def test_of_a_long_list_there_is_the_count() -> None:
    stored = json.loads(encode_bounded({"arguments": {"ids": list(range(5000))}}))
    assert stored["arguments"]["ids"]["length"] == 5000
    assert stored["arguments"]["ids"]["beginning"].startswith("[0,1,2")


@pytest.mark.slow
@pytest.mark.parametrize(
    "value",
    [
        "x" * 1_000_000,
        {str(number): "x" * 999 for number in range(49)},
        [[["x" * 150] * 20] * 20] * 3,
        {"k" * 10_000: {"l" * 10_000: "x"}},
        10**4000,
        ["\\" * 900, chr(34) * 900, "\x00" * 900] * 20,
    ],
    ids=["a text", "a map", "nested lists", "long names", "a number", "characters that take more room"],
)
def test_no_record_is_longer_than_the_limit_and_the_same_gives_the_same(value: Any) -> None:
    for record in ({"arguments": value}, {str(number): value for number in range(60)}):
        text = encode_bounded(record)
        assert len(text.encode()) <= MAX_RECORD_BYTES
        assert text == encode_bounded(record)
        json.loads(text)
