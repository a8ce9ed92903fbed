"""Large JSON is read and written in parts, with the same result as in one piece."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from saasus_mcp.common import json_parts
from saasus_mcp.common.json_parts import PART_BYTES, encode_large_json, parse_json

TRICKY = st.sampled_from(["}, {", "[{", "]", "{", '"', '\\"', "}]", "\u2028", "日本"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TRICKY
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TRICKY, inner, max_size=4))
OBJECTS = st.lists(st.dictionaries(st.text(max_size=3) | TRICKY, VALUES, min_size=1), min_size=1, max_size=4)
SMALLER = 32
"""A part of the size that it has takes a tenth of a second. Smaller ones have as many ends in a shorter text."""


def long_list(items: list[Any]) -> list[Any]:
    """Repeat items until they take several parts."""
    return items * (json_parts.WHOLE_BYTES * 3 // 2 // len(json.dumps(items)) + 1)


@pytest.fixture
def _small_parts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PART_BYTES", "WHOLE_BYTES", "PART_ITEMS"):
            patch.setattr(json_parts, name, getattr(json_parts, name) // SMALLER)
        yield


@pytest.mark.usefixtures("_small_parts")
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(OBJECTS, VALUES, VALUES, st.sampled_from([(",", ":"), (", ", ": ")]), st.booleans())
def test_json_of_many_parts_is_read_and_written_as_in_one_piece(
    items: list[Any], before: Any, after: Any, separators: tuple[str, str], ascii_only: bool
) -> None:
    for value in (long_list(items), {"before": before, "items": long_list(items), "after": after}):
        raw = json.dumps(value, separators=separators, ensure_ascii=ascii_only).encode()
        assert parse_json(raw) == from_json(raw) == value
        assert encode_large_json(value) == to_json(value)


def test_large_json_is_read_and_written_as_in_one_piece() -> None:
    value = {"before": "}, {", "items": long_list([{"}, {": ["日本", {"a": "]"}]}, {"\u2028": {}}]), "after": ['"']}
    raw = json.dumps(value).encode()
    assert parse_json(raw) == value
    assert encode_large_json(value) == to_json(value)


@pytest.mark.parametrize(
    "change", [(b"}]", b"}"), (b"}, {", b"} {"), (b"}, {", b"}], [{"), (b"]", b"]]"), (b'"n"', b"n")]
)
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_fault_at_any_place_is_found(change: tuple[bytes, bytes], place: str) -> None:
    raw = json.dumps({"items": long_list([{"n": [{"a": 1}, {"b": 2}]}])}).encode()
    at = raw.find(change[0]) if place == "first" else raw.rfind(change[0])
    with pytest.raises(ValueError, match=r"."):
        parse_json(raw[:at] + change[1] + raw[at + len(change[0]) :])


def test_the_last_of_two_fields_of_one_name_counts() -> None:
    items = json.dumps(long_list([{"a": 1}])).encode()
    for raw in (b'{"x":%b,"x":[]}' % items, b'{"x":[],"y":1,"x":%b}' % items):
        assert parse_json(raw) == json.loads(raw)


def test_no_part_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    parts: list[int] = []

    def parse(raw: bytes, **options: Any) -> Any:
        parts.append(len(raw))
        return from_json(raw, **options)

    monkeypatch.setattr(json_parts, "from_json", parse)
    users = long_list([{"id": 1, "envs": [{"id": 3, "roles": [{"a": "b"}, {"c": "d"}]}, {"id": 4}]}])
    parse_json(json.dumps({"cursor": "x", "users": users}).encode())
    assert len(parts) > 2
    assert max(parts) < 1.1 * PART_BYTES
