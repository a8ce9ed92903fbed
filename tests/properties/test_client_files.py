"""Patching JSON with comments: whatever the text looks like, all else stays, and taking out undoes putting in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saasus_mcp.clients import jsonc, jsonc_patch

NAME = "saasus"
ENTRY = {"command": "uvx", "args": ["saasus-mcp", "--lang", "ja"], "env": {"A": "${A}"}}
KEYS = st.text(max_size=6).filter(lambda key: key != NAME)
BLANKS: st.SearchStrategy[str] = st.sampled_from(
    ["", " ", "\n", "\r\n", "\t", "\n    ", "/* c */", " // c\n", '/* {" */ ', "\n\n"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


@st.composite
def texts(draw: st.DrawFn, value: Any) -> str:
    """Return a value as someone may have written it: blanks and comments anywhere, commas at the end of some containers."""

    def blank() -> str:
        return draw(BLANKS)

    def said(one: Any) -> str:
        if isinstance(one, dict):
            inner = [f"{blank()}{json.dumps(key)}{blank()}:{blank()}{said(item)}{blank()}" for key, item in one.items()]
            return "{" + ",".join(inner) + tail(inner) + blank() + "}"
        if isinstance(one, list):
            inner = [f"{blank()}{said(item)}{blank()}" for item in one]
            return "[" + ",".join(inner) + tail(inner) + blank() + "]"
        return json.dumps(one, ensure_ascii=draw(st.booleans()))

    def tail(inner: list[str]) -> str:
        trailing = draw(st.booleans())
        return "," if inner and trailing else ""

    return blank() + said(value) + blank()


@st.composite
def files(draw: st.DrawFn, servers: st.SearchStrategy[Any]) -> tuple[dict[str, Any], str]:
    """Return a client's file: other settings, and servers of others."""
    document = draw(st.dictionaries(KEYS.filter(lambda key: key != "servers"), VALUES, max_size=3))
    document["servers"] = draw(servers)
    return document, draw(texts(document))


OTHERS = st.dictionaries(KEYS, VALUES, max_size=3)


@pytest.mark.slow
@given(files(OTHERS))
def test_putting_in_changes_nothing_else(file: tuple[dict[str, Any], str]) -> None:
    document, text = file
    assert jsonc.parse_jsonc(text).value == document
    expected = {**document, "servers": {**document["servers"], NAME: ENTRY}}
    assert jsonc.parse_jsonc(jsonc_patch.put_value(text, ("servers", NAME), ENTRY)).value == expected


@pytest.mark.slow
@given(files(OTHERS))
def test_putting_in_twice_is_once(file: tuple[dict[str, Any], str]) -> None:
    once = jsonc_patch.put_value(file[1], ("servers", NAME), ENTRY)
    assert jsonc_patch.put_value(once, ("servers", NAME), ENTRY) == once


@pytest.mark.slow
@given(files(st.dictionaries(KEYS, VALUES, min_size=1, max_size=3)))
def test_taking_out_restores_the_text_to_the_letter(file: tuple[dict[str, Any], str]) -> None:
    text = file[1]
    there = jsonc_patch.put_value(text, ("servers", NAME), ENTRY)
    assert jsonc_patch.remove_children(there, ("servers",), lambda child: child.key == NAME) == text


@pytest.mark.slow
@given(files(OTHERS), st.integers(0, 3))
def test_taking_out_what_stands_anywhere_leaves_the_others(file: tuple[dict[str, Any], str], at: int) -> None:
    document, _ = file
    pairs = list(document["servers"].items())
    pairs.insert(at, (NAME, ENTRY))
    text = json.dumps({**document, "servers": dict(pairs)}, indent=3)
    assert (
        jsonc.parse_jsonc(jsonc_patch.remove_children(text, ("servers",), lambda child: child.key == NAME)).value
        == document
    )


@pytest.mark.slow
@given(st.lists(VALUES, max_size=3), st.data())
def test_an_item_goes_into_an_array_and_out_again(items: list[Any], data: st.DataObject) -> None:
    text = data.draw(texts({"inputs": items}))
    there = jsonc_patch.append_item(text, ("inputs",), {"id": NAME})
    assert jsonc.parse_jsonc(there).value == {"inputs": [*items, {"id": NAME}]}
    left = jsonc_patch.remove_children(there, ("inputs",), lambda child: child.node.value == {"id": NAME})
    assert jsonc.parse_jsonc(left).value == {"inputs": items}


@given(st.text(alphabet='{}[]:,"\\/*tfn1 \n', max_size=24))
def test_reading_equals_json_or_is_an_error(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        return
    assert jsonc.parse_jsonc(text).value == expected


@given(st.text(alphabet='{}[]:,"\\/*tfn1 \n', max_size=24))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        jsonc.parse_jsonc(text)
    except jsonc.JsonSyntaxError as error:
        assert str(error).startswith("line ")
