"""The report of deviations contains no value of an answer and no key of a map."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saasus_mcp.catalog.catalogue import FACTS
from saasus_mcp.saasus.schema_drift import SchemaComparison

ROWS: dict[str, Any] = json.loads(FACTS.read_bytes())
CANARY = "kanarie"
VALUES = (CANARY, "987654321", "98765.4321", "example.jp")
_texts = st.sampled_from([f"{CANARY} {at}" for at in range(5)] + [f"{CANARY}{at:03d}@example.jp" for at in range(5)])
_leaves = st.one_of(_texts, st.just(987_654_321), st.just(98_765.4321), st.booleans(), st.none())
_anything = st.recursive(
    _leaves,
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(_texts, below, max_size=3)),
    max_leaves=8,
)


@st.composite
def _answers(draw: st.DrawFn) -> tuple[str, Any]:
    """Draw an answer with the documented fields of a read, and a canary as every value and every other key."""
    key = draw(st.sampled_from(sorted(key for key, row in ROWS.items() if "200" in row["fields"])))
    fields = ROWS[key]["fields"]

    def at(place: str, depth: int) -> Any:
        if depth > 5 or draw(st.integers(0, 9)) == 0:
            return draw(_anything)
        if place + "[]" in fields:
            return [at(place + "[]", depth + 1) for _ in range(draw(st.integers(0, 2)))]
        starts = [place, *(f"{place}|{number}" for number in range(9) if f"{place}|{number}" in fields)]
        start = draw(st.sampled_from(starts))
        names = [name.removeprefix(start + ".") for name in fields if name.startswith(start + ".")]
        here = {name for name in names if not {".", "[", "{", "|"} & set(name)}
        if fields.get(place, {}).get("type") == "object" or here:
            return {
                **{name: at(f"{start}.{name}", depth + 1) for name in sorted(here) if draw(st.booleans())},
                **draw(st.dictionaries(_texts, _anything, max_size=2)),
            }
        return draw(_leaves)

    return key, at("200", 0)


def full(fields: dict[str, Any], place: str) -> Any:
    """Return an answer with all documented fields, and a canary as each value and as a key of each object."""
    if place + "[]" in fields:
        return [full(fields, place + "[]")]
    starts = [place, *(one for number in range(9) if (one := f"{place}|{number}") in fields)]
    below = {name for start in starts for name in fields if name.startswith(start + ".")}
    names = {name.rpartition(".")[2]: name for name in below if name.count(".") == place.count(".") + 1}
    plain = {name: at for name, at in names.items() if name.isidentifier()}
    if fields[place]["type"] == "object":
        return {name: full(fields, at) for name, at in plain.items()} | {f"{CANARY}@example.jp": CANARY}
    return {"string": CANARY, "integer": 987_654_321, "number": 98_765.4321, "boolean": True}[fields[place]["type"]]


@pytest.mark.parametrize("key", [key for key, row in ROWS.items() if "200" in row["fields"]])
def test_no_value_of_any_documented_field_is_reported(key: str) -> None:
    told = report(key, full(ROWS[key]["fields"], "200"))
    assert not any(text in told for text in VALUES)


def test_an_undocumented_value_is_reported_where_there_is_an_enum() -> None:
    assert "undocumented_value" in report(
        "pricing.GetPricingUnits", full(ROWS["pricing.GetPricingUnits"]["fields"], "200")
    )


@given(_answers())
def test_no_value_and_no_key_of_a_map_is_reported(answer: tuple[str, Any]) -> None:
    told = report(*answer)
    assert not any(text in told for text in VALUES)


def report(key: str, answer: Any) -> str:
    comparison = SchemaComparison(ROWS[key])
    comparison.add(200, answer)
    return json.dumps([asdict(one) for one in comparison.deviations()], ensure_ascii=False)
