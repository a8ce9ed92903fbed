"""What is counted in a message before it is parsed: values, not the characters of texts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saasus_mcp.saasus.json_bounds import DEEPEST, MOST_NESTED, excess
from saasus_mcp.saasus.plain import MOST_VALUES

LEAVES = st.none() | st.booleans() | st.integers() | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=40)
TRICKY = ['"', "\\", '\\"', "[{,", '"]},"', "\u2028", "\U0001f600"]


@given(VALUES, st.booleans())
def test_a_small_message_fits_whatever_its_texts_hold(value: Any, ascii_only: bool) -> None:
    assert excess(json.dumps(value, ensure_ascii=ascii_only).encode()) is None


@pytest.mark.parametrize("text", TRICKY)
def test_a_text_is_one_value_however_long(text: str) -> None:
    assert excess(json.dumps({"a": text * (3 * MOST_VALUES)}).encode()) is None


@pytest.mark.parametrize("text", TRICKY)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_values_behind_a_text_are_counted(text: str, ascii_only: bool) -> None:
    fits = {"a": [text, *[1] * (MOST_VALUES - 10)]}
    over = {"a": [text, *[1] * (MOST_VALUES + 10)]}
    assert excess(json.dumps(fits, ensure_ascii=ascii_only).encode()) is None
    assert "more than 60,000 values" in (excess(json.dumps(over, ensure_ascii=ascii_only).encode()) or "")


def test_lists_and_depth_have_limits_of_their_own() -> None:
    assert excess(json.dumps([[]] * (MOST_NESTED - 1)).encode()) is None
    assert "lists and objects" in (excess(json.dumps([{}] * (MOST_NESTED + 1)).encode()) or "")
    assert excess(b"[" * DEEPEST + b"]" * DEEPEST) is None
    assert "levels deep" in (excess(b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1)) or "")
    assert excess(b"[[]]" * DEEPEST) is None, "wide, not deep"
