"""effects.yaml and the documents name the same secrets, or nothing compiles."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.catalogue import documents, operations, secret_marks

TEXT = {"type": "string"}


def find_differences(
    effects: dict[str, Any], *, asked: Any = TEXT, answered: Any = TEXT, parameter: Any = TEXT
) -> list[str]:
    """Return the differences of an operation with one field in its body, one in its answer and one parameter."""
    node = {
        "operationId": "Do",
        "x-tool": {"name": "do", "toolset": "some", "terse": "Do"},
        "summary": "Do",
        "description": "Do.",
        "x-ja": {"title": "する", "description": "する。"},
        "parameters": [{"name": "at", "in": "query", "required": False, "schema": TEXT, **parameter}],
        "requestBody": _content({"asked": asked}),
        "responses": {"200": _content({"answered": answered}), "400": _content({"message": TEXT})},
    }
    source = documents.SourceOperation("auth", "POST", "/do", node)
    row = {"effect": "action", "level": "write", **effects}
    return list(
        secret_marks.find_mark_differences(source, row, operations.compile_operation(source, row, [("POST", "/do")]))
    )


def _content(fields: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": {"type": "object", "properties": fields}}}}


def test_where_both_say_the_same_nothing_is_different() -> None:
    table = {"secrets_in": ["at", "asked"], "secrets_out": ["answered"]}
    marked = {**TEXT, "x-secret": True}
    assert (
        find_differences(table, asked={**TEXT, "x-secret-in": True}, answered=marked, parameter={"x-secret-in": True})
        == []
    )
    assert find_differences({"scrub_out": ["answered"]}, answered={**TEXT, "x-secret": "scrub"}) == []
    assert find_differences({}) == []


@pytest.mark.parametrize(
    ("table", "document", "said"),
    [
        (
            {"secrets_in": ["asked"]},
            {},
            "asked is in secrets_in of effects.yaml, and auth.yaml has no `x-secret-in: true`",
        ),
        ({"secrets_out": ["answered"]}, {}, "answered is in secrets_out of effects.yaml, and auth.yaml has no"),
        ({"scrub_out": ["answered"]}, {}, "answered is in scrub_out of effects.yaml, and auth.yaml has no"),
        (
            {},
            {"asked": {**TEXT, "x-secret-in": True}},
            "asked has `x-secret-in: true` in auth.yaml, and is not in secrets_in",
        ),
        ({}, {"parameter": {"x-secret-in": True}}, "at has `x-secret-in: true` in auth.yaml, and is not in secrets_in"),
        (
            {},
            {"answered": {**TEXT, "x-secret": True}},
            "answered has `x-secret: true` in auth.yaml, and is not in secrets_out",
        ),
        ({}, {"answered": {**TEXT, "x-secret": "scrub"}}, "answered has `x-secret: scrub` in auth.yaml, and is not in"),
        ({"secrets_out": ["answered"]}, {"answered": {**TEXT, "x-secret": "scrub"}}, "answered is in secrets_out"),
        ({"secrets_in": ["asked", "asked"]}, {"asked": {**TEXT, "x-secret-in": True}}, "asked is twice in secrets_in"),
        (
            {},
            {"answered": {**TEXT, "x-secret": "true"}},
            "answered has `x-secret: true` in auth.yaml, which is an unknown mark",
        ),
        ({}, {"answered": {**TEXT, "x-secrets": True}}, "which is an unknown mark"),
        ({}, {"asked": {**TEXT, "X-Secret-In": True}}, "which is an unknown mark"),
        ({}, {"parameter": {"x-secret": True}}, "at has `x-secret` in auth.yaml where it has no effect"),
        (
            {},
            {"answered": {"type": "array", "items": {"type": "object", "properties": {"a": TEXT}, "x-secret": True}}},
            "answered has `x-secret` in auth.yaml where it has no effect",
        ),
    ],
)
def test_a_difference_names_the_path_and_both_files(table: dict[str, Any], document: dict[str, Any], said: str) -> None:
    assert any(said in difference for difference in find_differences(table, **document)), find_differences(
        table, **document
    )
