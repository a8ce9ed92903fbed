"""A member that an object has twice is found at every depth, and nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saasus_mcp.common.json_members import MAX_SHOWN_NAME, find_repeated_member

VALUES = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_a_value_has_no_member_twice(value: Any) -> None:
    assert find_repeated_member(json.dumps(value).encode()) is None


@given(VALUES, VALUES)
def test_a_member_is_found_under_any_value(first: Any, second: Any) -> None:
    twice = f'{{"a": {json.dumps(first)}, "\\u0061": {json.dumps(second)}}}'
    assert find_repeated_member(f'[{{"b": [{twice}]}}]'.encode()) == "a"


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[" * 100_000, b"9" * 5000])
def test_text_that_is_not_json_has_none(text: bytes) -> None:
    assert find_repeated_member(text) is None


def test_a_long_name_is_shortened() -> None:
    name = "n" * 1000
    assert find_repeated_member(f'{{"{name}": 1, "{name}": 2}}'.encode()) == name[:MAX_SHOWN_NAME]
