"""What is counted in a message before it is parsed: values, not the characters of texts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saasus_mcp.saasus.plain import MOST_VALUES
from saasus_mcp.server.message_size import DEEPEST, MOST_NESTED, excess, refusal

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


@pytest.mark.parametrize(
    ("message", "identifier"),
    [
        (b'{"jsonrpc":"2.0","id":7,"method":"x"}', 7),
        (b'{"jsonrpc": "2.0", "id": "a-1", "method": "x"}', "a-1"),
        (b'{"id":-3,"jsonrpc":"2.0"}', -3),
        (b'{"method":"x","params":{},"jsonrpc":"2.0","id":9}\r', 9),
        (b'{"method":"x","params":{"id":1}}', None),
        (b'{"method":"x","params":{"a":{"id":1}},"jsonrpc":"2.0"}', None),
        (b'{"params":"{\\"id\\":5}"}', None),
        (b'{"id":"' + b"x" * 500 + b'"}', None),
        (b"", None),
    ],
)
def test_a_refusal_goes_to_the_request_where_its_id_is_certain(message: bytes, identifier: object) -> None:
    line = refusal(message, "too much")
    assert line.endswith("\n")
    assert json.loads(line) == {
        "jsonrpc": "2.0",
        "id": identifier,
        "error": {"code": -32600, "message": "too much"},
    }
