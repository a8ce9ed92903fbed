"""For any response: structured content satisfies the schema and contains no marked secret."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from saasus_mcp.catalog import Operation
from saasus_mcp.common.json_tree import map_scalars, survey
from saasus_mcp.common.text import plain_text
from saasus_mcp.saasus import response_body
from saasus_mcp.saasus.client import ApiResponse
from saasus_mcp.saasus.response_schema import shape_response
from saasus_mcp.saasus.secret_names import scrub_text
from saasus_mcp.saasus.tool_answer import build_answer
from tests.support import reference_response_schema
from tests.support.pipeline import sample_value
from tests.support.strategies import (
    CATALOGUE,
    any_json,
    json_keys,
    log_operations,
    operations_with_answer,
    punctuation,
    secret_operations,
    text_values,
)

MARK = "marker-{}-that-must-not-be-seen"


@cache
def validator(key: str) -> Draft202012Validator:
    return Draft202012Validator(CATALOGUE.find(key).output_schema)


def hidden(_: str) -> str:
    return "secret://r/hidden"


class Hider:
    """Replaces each secret by a number."""

    def __init__(self) -> None:
        self.hidden: list[str] = []

    def hide(self, secret: str) -> str:
        self.hidden.append(secret)
        return f"secret://r/{len(self.hidden)}"


logged = st.sampled_from(['{"password": "hush", "name": "x"}', "a=1&token=hush", "Authorization: Bearer hush", "text"])


@given(operations_with_answer, any_json)
def test_any_answer_is_shaped_to_what_the_schema_accepts(key: str, value: Any) -> None:
    operation = CATALOGUE.find(key)
    shaped = shape_response(operation, value, hidden)
    validator(key).validate(shaped.conforming)


@given(operations_with_answer, st.data())
def test_an_answer_with_one_field_changed_is_shaped_to_what_the_schema_accepts(key: str, data: st.DataObject) -> None:
    operation = CATALOGUE.find(key)
    value = sample_value(operation.output_schema)
    node, at = data.draw(st.sampled_from(list(places(value)) or [(value, "new")]))
    node[at] = data.draw(any_json)
    shaped = shape_response(operation, value, hidden)
    validator(key).validate(shaped.conforming)


@pytest.mark.slow
@given(operations_with_answer | secret_operations | log_operations, st.data())
@settings(max_examples=3 * settings().max_examples)
def test_an_answer_is_shaped_as_the_slow_and_plain_way_shapes_it(key: str, data: st.DataObject) -> None:
    operation = CATALOGUE.find(key)
    value = copy.deepcopy(sample_value(operation.output_schema))
    lists = [node[at] for node, at in places(value) if isinstance(node[at], list)]
    if data.draw(st.booleans()) and lists:
        items = data.draw(st.sampled_from(lists))
        items[:] = [copy.deepcopy(item) for item in items for _ in range(20)]
    for _ in range(data.draw(st.integers(0, 3))):
        node, at = data.draw(st.sampled_from(list(places(value)) or [(value, "new")]))
        if isinstance(node, dict) and data.draw(st.booleans()):
            at = data.draw(st.sampled_from(["new", "client_secret", "Session", "API-KEY"]))
        node[at] = data.draw(any_json | logged)
    quick, plainly = Hider(), Hider()
    columns = data.draw(st.just({}) | st.just(survey(value, response_body.MAX_RESPONSE_DEPTH).columns))
    shaped, expected = (
        shape_response(operation, value, quick.hide, columns),
        reference_response_schema.shape_response(operation, value, plainly.hide),
    )
    assert repr(shaped) == repr(expected)
    assert quick.hidden == plainly.hidden


@given(operations_with_answer)
def test_a_documented_answer_without_a_secret_is_not_copied(key: str) -> None:
    operation = CATALOGUE.find(key)
    if not (operation.secret_outputs or operation.scrubbed_outputs):
        value = {**sample_value(operation.output_schema), "undeclared": {"list": [1, "text", {"deep": None}]}}
        assert shape_response(operation, value, hidden).whole is value


@given(secret_operations, st.data())
def test_no_marked_secret_is_in_any_part_of_an_answer_however_it_drifted(key: str, data: st.DataObject) -> None:
    operation = CATALOGUE.find(key)
    value, marks = planted(operation)
    others = [place for place in places(value) if not isinstance(place[0][place[1]], str | dict | list)]
    if others:
        node, at = data.draw(st.sampled_from(others))
        node[at] = data.draw(any_json)
    found: list[str] = []

    def hide(secret: str) -> str:
        found.append(secret)
        return "secret://r/hidden"

    shaped = shape_response(operation, value, hide)
    assert MARK[:6] not in json.dumps([shaped.whole, shaped.conforming, shaped.drift])
    assert set(marks) <= set(found)


@given(json_keys, st.binary(max_size=300) | any_json.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_an_answer_or_a_failure_that_can_be_sent_on(key: str, body: bytes) -> None:
    operation = CATALOGUE.find(key)
    given = build_answer(operation, ApiResponse(200, body, "trace"), hidden)
    given.text.encode()
    json.dumps(given.structured, allow_nan=False).encode()
    assert given.applied in ("applied", "not_applied", "unknown")
    if given.ok:
        validator(key).validate(given.structured)
    else:
        assert given.structured is None


@given(json_keys, st.integers(300, 599), st.binary(max_size=300) | any_json.map(lambda v: json.dumps(v).encode()))
def test_any_error_body_is_a_failure_that_can_be_sent_on(key: str, status: int, body: bytes) -> None:
    operation = CATALOGUE.find(key)
    given = build_answer(operation, ApiResponse(status, body, "trace"), hidden)
    given.text.encode()
    assert not given.ok
    assert f"HTTP {status}" in given.text
    assert len(given.text) < 6000


@given(text_values)
def test_plain_text_is_bounded_visible_and_unchanged_where_it_was_harmless(text: str) -> None:
    seen = plain_text(text)
    assert len(seen) <= 2001
    assert "\u202e" not in seen
    assert plain_text(seen) == seen
    if text.isascii() and text.isprintable():
        assert seen == text


@given(
    punctuation, st.sampled_from(["password", "client_secret", "access_token", "apiKey"]), st.sampled_from(["=", ": "])
)
def test_scrubbing_removes_the_value_after_a_secrets_name_whatever_stands_around(
    around: str, name: str, between: str
) -> None:
    text = f"{around} {name}{between}{MARK} {around}"
    assert MARK not in scrub_text(text)
    assert scrub_text(text).startswith(around)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the parent and the key of every value inside a value."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


def planted(operation: Operation) -> tuple[Any, list[str]]:
    """Return the sample answer with a different marker in each secret field."""
    value, marks = (
        copy.deepcopy(sample_value(operation.output_schema)),
        (MARK.format(number) for number in itertools.count()),
    )
    used: list[str] = []

    def fill(node: Any) -> Any:
        if isinstance(node, dict):
            return {name: fill(item) for name, item in node.items()}
        if isinstance(node, list):
            return [fill(item) for item in node]
        used.append(next(marks))
        return used[-1]

    def walk(node: Any, steps: list[str]) -> Any:
        if not steps:
            return fill(node)
        if steps[0] == "[]":
            return [walk(item, steps[1:]) for item in node]
        return {**node, steps[0]: walk(node[steps[0]], steps[1:])}

    for path in operation.secret_outputs:
        value = walk(value, path.replace("[]", ".[]").split("."))
    return value, used


TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=6)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**120), 10**120)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(
    VALUES,
    st.booleans(),
    st.sampled_from(
        ["", "1e999", "-2E+400", "1" * 250 + "e99", "5e-999", '"\\ud800"', '"\\uDBfF"', '"\\u0000"', '"\\u0026"']
    ),
)
def test_a_body_is_read_alike_by_the_short_way_and_the_long_one(value: object, escaped: bool, more: str) -> None:
    text = json.dumps([value], ensure_ascii=escaped)
    text = text.replace("[", f"[{more}, ", 1) if more else text
    raw = text.encode("utf-8", "surrogatepass")
    parsed = json.loads(raw, parse_float=response_body._finite)
    slow = map_scalars(parsed, response_body._replace_unsupported, keys=True)
    assert response_body.parse_body(raw).value == slow
    json.dumps(response_body.parse_body(raw).value, allow_nan=False, ensure_ascii=False).encode()
    assert "\0" not in str(response_body.parse_body(raw).value)


@pytest.mark.parametrize("levels", [99, 100, 101, 5000])
@pytest.mark.parametrize("inmost", ["", "1", '"\\u0000"'])
def test_a_body_may_be_nested_as_deeply_by_either_way(levels: int, inmost: str) -> None:
    raw = ("[" * levels + inmost + "]" * levels).encode()
    if levels + bool(inmost) > response_body.MAX_RESPONSE_DEPTH + 1:
        with pytest.raises(ValueError, match="deeply"):
            response_body.parse_body(raw)
    else:
        assert response_body.parse_body(raw).value is not None
