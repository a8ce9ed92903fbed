"""The bounds of a message before it is parsed count values, not characters."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saasus_mcp.common.json_bounds import MAX_CONTAINERS, MAX_MESSAGE_DEPTH, MAX_VALUES, find_excess

LEAVES = st.none() | st.booleans() | st.integers() | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=40)
TRICKY = ['"', "\\", '\\"', "[{,", '"]},"', "\u2028", "\U0001f600"]


def excess_id(text: bytes) -> str | None:
    excess = find_excess(text)
    return None if excess is None else excess.id


@given(VALUES, st.booleans())
def test_a_small_message_fits_whatever_its_texts_hold(value: Any, ascii_only: bool) -> None:
    assert find_excess(json.dumps(value, ensure_ascii=ascii_only).encode()) is None


@pytest.mark.parametrize("text", TRICKY)
def test_a_text_is_one_value_however_long(text: str) -> None:
    assert find_excess(json.dumps({"a": text * (3 * MAX_VALUES)}).encode()) is None


@pytest.mark.parametrize("text", TRICKY)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_values_behind_a_text_are_counted(text: str, ascii_only: bool) -> None:
    fits = {"a": [text, *[1] * (MAX_VALUES - 10)]}
    over = {"a": [text, *[1] * (MAX_VALUES + 10)]}
    assert find_excess(json.dumps(fits, ensure_ascii=ascii_only).encode()) is None
    assert excess_id(json.dumps(over, ensure_ascii=ascii_only).encode()) == "arguments.message_too_large"


def test_lists_and_depth_have_limits_of_their_own() -> None:
    assert find_excess(json.dumps([[]] * (MAX_CONTAINERS - 1)).encode()) is None
    assert excess_id(json.dumps([{}] * (MAX_CONTAINERS + 1)).encode()) == "arguments.message_too_large"
    assert find_excess(b"[" * MAX_MESSAGE_DEPTH + b"]" * MAX_MESSAGE_DEPTH) is None
    assert excess_id(b"[" * (MAX_MESSAGE_DEPTH + 1) + b"]" * (MAX_MESSAGE_DEPTH + 1)) == "arguments.message_too_deep"
    assert find_excess(b"[[]]" * MAX_MESSAGE_DEPTH) is None, "wide, not deep"
