"""For any JSON: what a survey finds is what a plain walk finds."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from saasus_mcp.common.json_columns import MAX_LEVELS, MAX_NAMES, MAX_PLACES
from saasus_mcp.common.json_tree import iterate_scalars, survey

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3)
items = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner), max_leaves=6
)
long_lists = st.lists(items, min_size=1, max_size=4).map(lambda few: few * 16)
values = st.recursive(
    items | long_lists, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=2), inner), max_leaves=4
)


@given(values)
def test_a_survey_finds_the_texts_keys_and_numbers_of_a_value(value: Any) -> None:
    plain = [each for each in iterate_scalars(value, keys=True) if each is not None and not isinstance(each, bool)]
    found = survey(value, 100)
    assert found.texts == {str(each) for each in plain}
    assert found.infinite == any(isinstance(each, float) and math.isinf(each) for each in plain)
    assert not found.too_deep


@given(values, st.integers(1, 8))
def test_a_survey_says_when_a_value_has_more_levels_than_the_limit(value: Any, limit: int) -> None:
    assert survey(value, limit).too_deep == (depth(value) > limit)


def test_lists_of_very_deep_items_and_of_very_many_names_are_surveyed_too() -> None:
    deep: Any = "at the bottom"
    for _ in range(MAX_LEVELS + 3):
        deep = [deep]
    names = [{f"name {number}": [{"in": number}] * 20} for number in range(MAX_NAMES + 1)]
    found = survey({"deep": [deep] * 20, "names": names, "late": [{"x": "y"}] * 20}, 100)
    assert {"at the bottom", "name 7", "in", "64", "x", "y"} <= found.texts


def test_items_with_very_many_places_are_not_looked_at_together() -> None:
    names = range(math.isqrt(MAX_PLACES) + 1)
    items = [{str(outer): {str(inner): "text" for inner in names} for outer in names}] * 20
    found = survey(items, 100)
    assert found.columns == {}
    assert found.texts == {"text", *map(str, names)}


def depth(value: Any) -> int:
    """Return the levels of objects and lists, those without content not counted."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(depth, inside)) if inside else 0
