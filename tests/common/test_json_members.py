"""A member that an object has twice is found at every depth, and nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saasus_mcp.common.json_members import MAX_SHOWN_NAME, RepeatedMember, parse_members

VALUES = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_a_value_without_such_a_member_is_read(value: Any) -> None:
    assert parse_members(json.dumps(value).encode()) == value


@given(VALUES, VALUES)
def test_a_member_is_found_under_any_value(first: Any, second: Any) -> None:
    twice = f'{{"a": {json.dumps(first)}, "\\u0061": {json.dumps(second)}}}'
    with pytest.raises(RepeatedMember) as caught:
        parse_members(f'[{{"b": [{twice}]}}]'.encode())
    assert caught.value.name == "a"


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[" * 100_000, b"9" * 5000])
def test_text_that_is_not_json_has_no_value(text: bytes) -> None:
    assert parse_members(text) is None


def test_a_long_name_is_shortened() -> None:
    name = "n" * 1000
    with pytest.raises(RepeatedMember) as caught:
        parse_members(f'{{"{name}": 1, "{name}": 2}}'.encode())
    assert caught.value.name == name[:MAX_SHOWN_NAME]
