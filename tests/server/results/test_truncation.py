"""Truncated answers: they fit the budget, tell what is missing, and keep every small value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saasus_mcp.server.results.truncation import json_size, truncate

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text(max_size=6), inner, max_size=6),
    max_leaves=60,
)


def users(count: int) -> dict[str, Any]:
    return {"users": [{"id": f"u{n}", "email": f"user{n}@example.com"} for n in range(count)], "cursor": "next"}


def test_a_fitting_value_is_not_changed() -> None:
    value = users(10)
    assert truncate(value, 10_000) == (value, ())


def test_a_list_is_cut_at_its_end_with_the_true_count_and_the_fields_beside_it_stay() -> None:
    shown, [told] = truncate(users(10_000), 24 * 1024)
    assert json_size(shown) <= 24 * 1024
    assert shown["cursor"] == "next"
    assert shown["users"] == users(10_000)["users"][: told.shown]
    assert told.shown > 300
    assert str(told) == f"users: {told.shown} of 10000 items"


def test_a_long_text_is_cut_between_characters() -> None:
    shown, [told] = truncate({"body": "請求" * 5_000, "id": 1}, 1_000)
    assert json_size(shown) <= 1_000
    assert shown["id"] == 1
    assert "請求請求" in shown["body"]
    assert (told.unit, told.total) == ("characters", 10_000)


def test_one_huge_item_shows_its_beginning() -> None:
    shown, told = truncate({"logs": [{"id": "a", "body": "x" * 90_000}, {"id": "b"}]}, 2_000)
    assert shown["logs"][0]["id"] == "a"
    assert shown["logs"][0]["body"].startswith("xxx")
    assert {each.path for each in told} == {"logs", "logs[0].body"}


def test_two_large_lists_share_what_there_is() -> None:
    value = {"a": list(range(10_000)), "b": list(range(10_000)), "c": [1, 2]}
    shown, told = truncate(value, 8_000)
    assert json_size(shown) <= 8_000
    assert shown["c"] == [1, 2]
    assert {each.path for each in told} == {"a", "b"}
    assert min(len(shown["a"]), len(shown["b"])) > 500


@pytest.mark.slow
@given(VALUES, st.integers(200, 2_000))
def test_whatever_is_shown_is_the_beginning_of_what_there_was(value: Any, budget: int) -> None:
    shown, told = truncate({"result": value}, budget)
    if told:
        assert all(each.shown < each.total or each.shown == 1 for each in told)
    else:
        assert shown == {"result": value}
    assert len(json.dumps(shown)) <= len(json.dumps({"result": value}))


@pytest.mark.slow
@given(st.dictionaries(st.text(max_size=6), VALUES, max_size=6), st.lists(st.text(max_size=20), min_size=1))
def test_an_answer_fits_to_the_byte(value: dict[str, Any], texts: list[str]) -> None:
    value["result"] = texts
    assert truncate(value, json_size(value)) == (value, ())
    assert truncate({"result": texts}, json_size({"result": texts}) - 1)[1] != ()


def test_fields_that_are_each_too_large_are_all_shown_and_cut_in_their_order() -> None:
    shown, told = truncate({"b": "x" * 90_000, "few": [1, 2], "a": list(range(50_000)), "c": "y" * 70_000}, 9_000)
    assert json_size(shown) <= 9_000
    assert list(shown) == ["b", "few", "a", "c"]
    assert [each.path for each in told] == ["b", "a", "c"]
    assert min(json_size(shown[name]) for name in "bac") > 2_500
