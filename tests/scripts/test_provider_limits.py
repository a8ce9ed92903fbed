"""The check of the listed tools against what providers and clients accept: each rule reports what breaks it, and by whom."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.clients.known_clients import CLIENTS
from saasus_mcp.server.surface.tool_list import operation_tool
from scripts import provider_limits
from scripts.provider_limits import Listing, judge
from scripts.provider_rules import LISTS, NODES, TOOLS, findings, read

LIMITS = read()
TEXT = {"type": "string"}


def made(schema: Any = None, name: str = "t", description: str = "D", output: Any = None) -> dict[str, Any]:
    """Return a tool as it is listed."""
    given = {"type": "object", "properties": {}} if schema is None else schema
    return {"name": name, "description": description, "inputSchema": given, "outputSchema": output}


def inside(schema: Any) -> dict[str, Any]:
    """Return a schema deep in the one of a tool."""
    below = {"type": "object", "properties": {"deep": {"type": "array", "items": schema}}}
    return {"type": "object", "properties": {"field": below}}


def deep(levels: int) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": deep(levels - 1)}} if levels else TEXT


DEEP = "$.field.deep[]"
BROKEN: dict[str, list[tuple[dict[str, Any], str, str]]] = {
    "name_pattern": [(made(name="9 lives"), "$", "does not match")],
    "prefixed_name": [(made(name="t" * 60), "$", "at most")],
    "description_length": [(made(description=""), "$", "0 characters"), (made(description="x" * 1025), "$", "1025")],
    "root_type": [(made(TEXT), "$", "not of type object"), (made(True), "$", "not of type object")],
    "root_keywords": [(made({"type": "object"}), "$", "properties is missing")],
    "forbidden_at_root": [(made({"type": "object", "properties": {}, "oneOf": []}), "$", "oneOf at the top level")],
    "valid_schema": [(made(inside({"type": "text"})), "$", "no valid JSON Schema")],
    "depth": [(made(deep(6)), "$", "6 levels")],
    "properties": [
        (made({"type": "object", "properties": {f"p{n}": TEXT for n in range(101)}}), "$", "101 properties"),
    ],
    "text_length": [(made(inside({"type": "string", "enum": ["x" * 15_001]})), "$", "at most 15000")],
    "schemas_are_objects": [
        (made({"type": "object", "properties": {"raw": True}}), "$.raw", "True, not an object"),
        (made({"type": "object", "properties": {"a": {"anyOf": [False]}}}), "$.a.anyOf[0]", "False"),
    ],
    "allowed_keywords": [
        (made(inside({**TEXT, "examples": ["x"]})), DEEP, "examples is not known"),
        (made(inside({"anyOf": [{"const": 1}]})), f"{DEEP}.anyOf[0]", "const is not known"),
        (made({"type": "object", "patternProperties": {}}), "$", "patternProperties is not known"),
    ],
    "forbidden_keywords": [(made(inside({"anyOf": [TEXT, {"type": "null"}]})), DEEP, "keyword anyOf")],
    "forbidden_booleans": [
        (made(inside({"type": "object", "additionalProperties": False})), DEEP, "additionalProperties is a boolean"),
        (made(inside({"type": "object", "additionalProperties": True})), DEEP, "additionalProperties is a boolean"),
    ],
    "forbidden_maps": [
        (made(inside({"type": "object", "additionalProperties": TEXT})), DEEP, "additionalProperties is a schema"),
    ],
    "single_type": [
        (made(inside({"type": ["string", "null"]})), DEEP, "not one name"),
        (made(inside({})), DEEP, "None"),
    ],
    "items_required": [(made(inside({"type": "array"})), DEEP, "without items")],
    "object_keywords": [(made(inside({**TEXT, "properties": {}})), DEEP, "properties on 'string'")],
    "objects_with_properties": [(made(inside({"type": "object", "properties": {}})), DEEP, "without properties")],
    "enum_of_text": [
        (made(inside({"type": "integer", "enum": [1]})), DEEP, "of type 'integer'"),
        (made(inside({"type": "string", "enum": [""]})), DEEP, "['']"),
        (made(inside({"type": "string", "enum": []})), DEEP, "[]"),
    ],
    "enum_values": [(made(inside({"enum": [str(n) for n in range(251)]})), DEEP, "251 values")],
    "text_formats": [(made(inside({**TEXT, "format": "uuid"})), DEEP, "'uuid'")],
    "property_name": [(made(inside({"type": "object", "properties": {"a b": TEXT}})), DEEP, "'a b'")],
    "required_declared": [(made(inside({"type": "object", "required": ["a"]})), DEEP, "'a' is required")],
    "every_property_required": [(made({"type": "object", "properties": {"a": TEXT}}), "$", "optional: a")],
}
CASES = [(rule, *case) for rule, cases in BROKEN.items() for case in cases]


@pytest.mark.parametrize(
    ("rule", "broken", "path", "says"), CASES, ids=[f"{rule}-{number}" for number, (rule, *_) in enumerate(CASES)]
)
def test_an_exceeded_limit_is_reported_with_its_position_and_source(
    rule: str, broken: dict[str, Any], path: str, says: str
) -> None:
    limit = next(each for each in LIMITS if (each.rule, each.of) == (rule, "input"))
    found = list(findings(limit, "full", [broken]))
    assert [(each.tool, each.path) for each in found] == [(broken["name"], path)]
    text = str(found[0])
    for part in ("full", broken["name"], path, says, limit.by, limit.rule, limit.url):
        assert part in text


def test_every_rule_has_a_tool_that_breaks_it_and_a_limit() -> None:
    assert {*NODES, *TOOLS} == {*BROKEN}
    assert {limit.rule for limit in LIMITS} == {*NODES, *TOOLS, *LISTS}


def test_more_tools_than_a_client_takes_are_reported() -> None:
    limit = next(each for each in LIMITS if (each.by, each.rule) == ("Cursor", "tools"))
    assert list(findings(limit, "users", [made()] * 40)) == []
    assert [each.says for each in findings(limit, "users", [made()] * 41)] == ["41 tools, at most 40"]


def test_an_output_schema_is_held_to_limits_of_its_own() -> None:
    limit = next(each for each in LIMITS if each.of == "output" and each.rule == "forbidden_maps")
    listed = made(output=inside({"type": "object", "additionalProperties": TEXT}))
    assert [each.path for each in findings(limit, "full", [made(), listed])] == [DEEP]


def listing(*tools: dict[str, Any], surface: str = "users") -> Listing:
    return Listing(surface, "en", "2025-11-25", tools)


def test_a_known_exception_covers_its_place_alone() -> None:
    limit = next(each for each in LIMITS if each.rule == "objects_with_properties")
    attributes, other = (
        {"type": "object", "properties": {name: {"type": "object"}}} for name in ("attributes", "settings")
    )
    verdict = judge([listing(made(attributes), made(other, name="u"))], [limit])
    assert [(each.tool, each.path) for each in verdict.faults] == [("u", "$.settings")]


def test_an_exception_of_one_surface_covers_no_other() -> None:
    limit = next(each for each in LIMITS if (each.by, each.rule) == ("Cursor", "tools"))
    many = [made(name=f"t{n}") for n in range(41)]
    assert judge([listing(*many, surface="full")], [limit]).faults == []
    assert [each.surface for each in judge([listing(*many)], [limit]).faults] == ["users"]


def test_an_exception_that_meets_nothing_is_reported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_limits, "listings", lambda: [listing(made())])
    monkeypatch.setattr(provider_limits, "read", lambda: [each for each in LIMITS if each.by == "Cursor"])
    assert provider_limits.main([]) == 1
    assert "an exception meets nothing" in capsys.readouterr().err


def test_a_fault_ends_the_check_with_what_is_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_limits, "listings", lambda: [listing(made({"type": "object"})), listing(made(TEXT))])
    monkeypatch.setattr(
        provider_limits, "read", lambda: [replace(LIMITS[0], rule="root_keywords", limit=["properties"])]
    )
    assert provider_limits.main(["--exceptions"]) == 1
    shown = capsys.readouterr()
    assert shown.err.count("users: t $: properties is missing") == 1, "what two lists share is reported once"
    assert "1 limits, 2 lists of tools: 1 faults" in shown.out


def test_a_rule_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "limits.yaml"
    file.write_text("- {by: X, rule: no_such_rule, limit: 1, source: {title: T, url: U}, as_of: 2026-01-01}\n")
    with pytest.raises(ValueError, match="no_such_rule"):
        read(file)


@pytest.mark.exhaustive  # `make check` does more
@pytest.mark.slow
def test_every_operation_is_taken_by_every_provider(catalogue: Catalogue) -> None:
    """The whole check, of every surface and protocol version, is a part of `make check`."""
    shown = [operation_tool(each, "ja").model_dump(mode="json", by_alias=True, exclude_none=True) for each in catalogue]
    limits = [each for each in LIMITS if each.rule != "tools"]
    assert [str(each) for each in judge([listing(*shown)], limits).faults] == []


def test_every_source_is_a_page_with_a_date() -> None:
    for limit in LIMITS:
        assert limit.url.startswith("https://"), limit
        assert limit.title, limit
        assert limit.as_of.year >= 2026, limit


def test_every_client_that_install_knows_has_a_limit() -> None:
    assert {client.title for client in CLIENTS.values()} - {limit.by for limit in LIMITS} == set()
