"""The compiled catalogue, and the rules that every tool in it satisfies."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from saasus_mcp.catalog import Catalogue, Operation, UnknownTool
from saasus_mcp.catalog import catalogue as loading
from saasus_mcp.server.surface.annotations import ToolHints
from scripts.catalogue import __main__ as compiler
from scripts.catalogue import documents, effects, route_conflicts

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
FIELD = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
NOT_PORTABLE = {
    "oneOf",
    "allOf",
    "not",
    "$ref",
    "$defs",
    "$schema",
    "nullable",
    "example",
    "discriminator",
    "format_int64",
}


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every node of a schema."""
    yield schema
    for child in schema.get("properties", {}).values():
        yield from nodes(child)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from nodes(schema[key])
    for child in schema.get("anyOf", ()):
        yield from nodes(child)


def schemas(operation: Operation) -> Iterator[dict[str, Any]]:
    yield operation.input_schema
    yield operation.output_schema
    if operation.variants:
        yield from operation.variants[1].values()


@pytest.mark.exhaustive  # `make check` compiles it too
@pytest.mark.slow
def test_the_shipped_catalogue_is_the_compiled_documents() -> None:
    assert compiler.CATALOGUE.read_text(encoding="utf-8") == compiler.compile_catalogue(), "stale: run `make catalogue`"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of the rows that were decoded, in order."""
    keys, decode = list[str](), loading._operation

    def note(row: dict[str, Any]) -> Operation:
        keys.append(row["key"])
        return decode(row)

    monkeypatch.setattr(loading, "_operation", note)
    return keys


def test_an_operation_is_decoded_once_when_it_is_needed(decoded: list[str]) -> None:
    catalogue = Catalogue.compiled(loading.FILE.read_bytes())
    assert len(catalogue) == len(json.loads(loading.FILE.read_bytes())["operations"])
    assert decoded == []
    assert catalogue.find("auth_delete_tenant") is catalogue.find("auth.DeleteTenant")
    assert catalogue.get("auth_delete") is None
    assert decoded == ["auth.DeleteTenant"]
    catalogue.decode_all()
    assert [*catalogue] == [*catalogue]
    assert sorted(decoded) == sorted(each.key for each in catalogue)


def test_threads_get_the_same_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    decode, together = loading._operation, threading.Barrier(2)

    def decode_together(row: dict[str, Any]) -> Operation:
        with suppress(threading.BrokenBarrierError):  # one thread decodes alone, so the other never comes
            together.wait(0.2)
        return decode(row)

    monkeypatch.setattr(loading, "_operation", decode_together)
    catalogue = Catalogue.compiled(loading.FILE.read_bytes())
    with ThreadPoolExecutor(2) as pool:
        first, second = (pool.submit(catalogue.find, "auth.DeleteTenant") for _ in range(2))
    assert first.result() is second.result()


def test_the_names_of_a_row_are_those_of_its_operation(catalogue: Catalogue) -> None:
    assert [*Catalogue.compiled(loading.FILE.read_bytes())._keys.items()] == [
        (each.tool, each.key) for each in catalogue
    ]


@pytest.mark.parametrize("row", [b'{"key":"a"}', b"", b'{"tool":"a","key":"b"},'])
def test_a_row_that_is_no_operation_is_an_error(row: bytes) -> None:
    with pytest.raises(ValueError, match="no operation"):
        Catalogue.compiled(b'{"aliases":{},"operations":[\n' + row + b"\n]}\n")


def test_every_operation_of_the_api_is_a_tool(catalogue: Catalogue) -> None:
    modules = Counter(operation.module for operation in catalogue)
    assert modules == {
        "auth": 99,
        "pricing": 36,
        "apigateway": 17,
        "awsmarketplace": 14,
        "communication": 12,
        "analysis": 7,
        "integration": 5,
        "billing": 3,
        "apilog": 2,
    }


def test_names_fit_every_client(catalogue: Catalogue) -> None:
    assert [operation.tool for operation in catalogue if not NAME.fullmatch(operation.tool)] == []
    assert len({operation.tool for operation in catalogue}) == len(catalogue)


def test_a_toolset_is_small_enough_for_the_smallest_client(catalogue: Catalogue) -> None:
    sizes = Counter(operation.toolset for operation in catalogue)
    assert len(sizes) == 15
    assert max(sizes.values()) < 40, sizes


@pytest.mark.slow
def test_every_schema_is_sound_and_portable(catalogue: Catalogue) -> None:
    for operation in catalogue:
        for schema in schemas(operation):
            Draft202012Validator.check_schema(schema)
            assert schema["type"] == "object", operation.key
            for node in nodes(schema):
                assert not NOT_PORTABLE & node.keys(), (operation.key, node)
                assert isinstance(node.get("type", ""), str), (operation.key, node)
                assert node.get("type") or node.get("anyOf"), (operation.key, "an empty schema")
                assert all(FIELD.fullmatch(name) for name in node.get("properties", {})), operation.key


def test_an_array_of_objects_keeps_the_types_of_its_items(catalogue: Catalogue) -> None:
    tiers = catalogue.find("pricing_create_pricing_unit").input_schema["properties"]["tiers"]
    assert set(tiers["items"]["properties"]) == {"up_to", "unit_amount", "flat_amount", "inf"}
    assert tiers["items"]["required"] == ["up_to", "unit_amount", "flat_amount", "inf"]


def test_answers_require_nothing_so_that_drift_never_fails_a_client(catalogue: Catalogue) -> None:
    for operation in catalogue:
        for node in nodes(operation.output_schema):
            assert "required" not in node, operation.key
            assert node.get("additionalProperties") is not False, operation.key


def test_everything_is_described_in_both_languages(catalogue: Catalogue) -> None:
    japanese = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
    for operation in catalogue:
        assert len(operation.description.en) > 60, operation.key
        assert operation.terse, operation.key
        assert japanese.search(operation.title.ja), operation.key
        assert japanese.search(operation.description.ja), operation.key
        assert set(operation.input_schema.get("properties", {})) <= set(operation.input_texts), operation.key
        row = operation.effects
        for text in filter(None, (*row.preconditions, row.why)):
            assert japanese.search(text.ja), operation.key
            assert _named(text.en, catalogue) == _named(text.ja, catalogue), operation.key


def _named(text: str, catalogue: Catalogue) -> set[str]:
    """Return the tools that a text names."""
    return {operation.tool for operation in catalogue if re.search(rf"(?<![a-z_]){operation.tool}(?![a-z_])", text)}


@pytest.mark.slow
def test_every_repair_of_a_published_defect_says_why() -> None:
    repairs = [
        node["x-repair"] for source in documents.read_operations(compiler.SPECS) for node in _repaired(source.node)
    ]
    assert len(repairs) > 80
    assert all(isinstance(repair, str) and len(repair) > 10 for repair in repairs)


def _repaired(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "x-repair" in node:
            yield node
        for value in node.values():
            yield from _repaired(value)
    elif isinstance(node, list):
        for value in node:
            yield from _repaired(value)


def test_hints_come_from_the_table_of_effects_and_never_from_the_verb(catalogue: Catalogue) -> None:
    wipe, tokens, create = (
        ToolHints.of_operation(catalogue.find(name))
        for name in ("auth_reset_plan", "auth_get_auth_credentials", "auth_create_role")
    )
    assert (wipe.read_only, wipe.destructive) == (False, True)
    assert tokens.read_only is False, "a GET that mints tokens is no read"
    assert create.destructive is False
    assert ToolHints.of_operation(catalogue.find("auth_create_tenant_invitation")).open_world is True


def test_an_unknown_tool_is_answered_with_the_nearest_names(catalogue: Catalogue) -> None:
    with pytest.raises(UnknownTool) as caught:
        catalogue.find("auth_delete_tennant")
    assert caught.value.nearest[0] == "auth_delete_tenant"
    assert "auth_delete_tenant" in str(caught.value.hint)


def test_a_tool_is_found_by_its_key_as_well(catalogue: Catalogue) -> None:
    assert catalogue.find("auth.DeleteTenant").tool == "auth_delete_tenant"


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        ("/users/{id}", "/users/search", [{"id": "search"}]),
        ("/users/{id}", "/users/{id}/roles", []),
        ("/a/{x}/b", "/a/c/{y}", [{"x": "c"}]),
        ("/a/b/{y}", "/a/{x}/c", [{"y": "c"}]),
        ("/users/search", "/users/{id}", []),
    ],
)
def test_path_values_that_reach_another_route_are_found_by_comparing_templates(
    mine: str, theirs: str, expected: list[dict[str, str]]
) -> None:
    assert (
        route_conflicts.ambiguous_values("GET", mine, [("GET", mine), ("GET", theirs), ("DELETE", theirs)]) == expected
    )


def test_a_value_that_is_harmless_under_another_verb_is_not_refused() -> None:
    assert route_conflicts.ambiguous_values("DELETE", "/users/{id}", [("GET", "/users/search")]) == []


def test_a_word_that_stands_for_every_id_is_refused_under_each_verb() -> None:
    known = [("GET", "/tenants/all/users"), ("GET", "/tenants/{id}/users"), ("GET", "/tenants/count")]
    for own in ("/tenants/{id}/users", "/tenants/{id}/users/{user}", "/tenants/{id}/users/{user}/roles"):
        assert route_conflicts.refused_values("DELETE", own, [*known, ("DELETE", own)]) == [{"id": "all"}]
    for own in ("/tenants/{id}", "/tenants/{id}/plans", "/plans/{id}/users", "/tenants/all/users"):
        assert route_conflicts.refused_values("DELETE", own, [*known, ("DELETE", own)]) == []


def test_the_table_of_effects_has_a_row_for_every_operation_and_no_other(catalogue: Catalogue) -> None:
    rows = effects.read_effects(compiler.SPECS / "effects.yaml")
    assert set(rows) == {operation.key for operation in catalogue}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"effect": "read"}, "level is missing"),
        ({"effect": "read", "level": "harmless"}, "level is 'harmless'"),
        ({"effect": "read", "level": "read", "colour": "red"}, "colour is unknown"),
        ({"effect": "read", "level": "read", "blast": ["planet"]}, "blast[0] is 'planet'"),
        ({"effect": "read", "level": "read", "why": {"en": "It is."}}, "why.ja is missing"),
        ({"effect": "read", "level": "read", "preconditions": [{"ja": "あり"}]}, "preconditions[0].en is missing"),
        ({"effect": "delete", "level": "critical"}, "a destructive or critical operation needs a target"),
        (
            {"effect": "delete", "level": "critical", "target": {"name": "target..name"}},
            "'target..name' is not an expression over args and target",
        ),
        (
            {"effect": "delete", "level": "critical", "target": {"name": "env.HOME"}},
            "'env.HOME' is not an expression over args and target",
        ),
    ],
)
def test_a_row_of_effects_outside_its_vocabulary_does_not_compile(row: dict[str, Any], said: str) -> None:
    assert said in effects.find_effect_problems(row)


def test_no_level_is_below_what_its_facts_demand(catalogue: Catalogue) -> None:
    for operation in catalogue:
        row = operation.effects
        if operation.secret_outputs and row.effect == "read":
            assert operation.level != "read", operation.key
        if row.effect != "read" and operation.key != "awsmarketplace.VerifyRegistrationToken":
            assert not operation.reads, operation.key
        if "saas" in row.blast and row.effect == "delete":
            assert operation.level in ("destructive", "critical"), operation.key


def test_the_read_behind_a_target_is_a_read_whose_arguments_it_is_given(catalogue: Catalogue) -> None:
    for operation in catalogue:
        target = operation.effects.target
        if target is None or target.read is None:
            continue
        shown_by = catalogue.find(target.read)
        assert shown_by.reads, operation.key
        assert set(shown_by.path_parameters) <= set(target.args), operation.key
        assert set(target.args) <= set(shown_by.input_schema.get("properties", {})), operation.key


def test_the_tools_that_list_the_records_of_a_path_only_read_and_need_no_id_that_is_missing(
    catalogue: Catalogue,
) -> None:
    """An error for an unknown record names them."""
    for operation in catalogue:
        tools = operation.lookup_tools
        assert len(tools) <= len(operation.path_parameters)
        for tool in tools:
            listing = catalogue.find(tool)
            assert listing.reads
            assert set(listing.path_parameters) < {*operation.path_parameters, "tenant_id"}
    assert catalogue.find("auth.DeleteTenant").lookup_tools == ("auth_get_tenants",)
