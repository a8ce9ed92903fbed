"""Arguments that a client sends as the wrong JSON type: they mean the same everywhere, or an error names the field."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp import types

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.saasus.arguments import check_arguments
from saasus_mcp.saasus.request import build_request
from saasus_mcp.server.surface.compact_tools import call_tool_for
from saasus_mcp.store.store import Store
from tests.support.arguments import complete_arguments
from tests.support.compact_surface import BY_ERA
from tests.support.gate import (
    Person,
    question_name,
    question_params,
    reply_text,
    run_over_operations,
    start_session,
    type_name,
)
from tests.support.pipeline import Era, StubApi, accept_question, build_pipeline, connect_client

PERSON = "local:person-in-a-terminal"


def as_text(operation: Operation) -> dict[str, Any]:
    """Return the arguments with every value as JSON text, as a client does that knows only text."""
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in complete_arguments(operation).items()
    }


@pytest.mark.slow
@BY_ERA
@pytest.mark.parametrize("kind", ["full", "compact"])
async def test_every_operation_takes_its_arguments_as_text(catalogue: Catalogue, era: Era, kind: Any) -> None:
    attempted = list[Operation]()
    async with start_session(catalogue, era, accept_question, kind=kind) as stage:

        async def attempt(operation: Operation) -> None:
            attempted.append(operation)
            given: dict[str, Any] = as_text(operation)
            name = operation.tool
            if kind == "compact":
                name, given = call_tool_for(operation), {"name": operation.tool, "arguments": json.dumps(given)}
            if operation.level == "critical":
                approval = stage.pending(await stage.client.call_tool(name, given))
                stage.approvals.approve(approval, approval.name, PERSON, stage.clock())
            result = await stage.client.call_tool(name, given)
            if not stage.fully_shown(result):
                result = await stage.client.call_tool(name, given)
            assert not result.is_error, reply_text(result)
            wanted = build_request(operation, check_arguments(operation, complete_arguments(operation)))
            sent = stage.api.to(operation)[-1]
            assert (sent.url.raw_path.decode(), sent.content) == (wanted.target, wanted.body or b"")

        assert await run_over_operations(stage, catalogue, attempt) == {}
        begun = [
            record
            for record in stage.store.audit_log.list_records()
            if record["event"] == "begun" and "parent" not in record
        ]
    assert len(begun) == len(attempted)
    for record in begun:
        typed = complete_arguments(catalogue.find(record["operation"]))
        assert all(type(record["arguments"][name]) in (type(value), str) for name, value in typed.items())
        plain = {name for name, value in typed.items() if type(value) in (int, bool)}
        assert {name: record["arguments"][name] for name in plain} == {name: typed[name] for name in plain}


async def test_a_yes_to_a_call_sent_as_text_is_a_yes_to_the_same_call_typed_well_and_to_no_other(
    catalogue: Catalogue,
) -> None:
    person = Person(accept_question)
    async with start_session(catalogue, "2026-07-28", person) as stage:
        operation = catalogue.find("auth.DeleteTenantUserRole")
        typed = complete_arguments(operation)
        asked = await stage.call_round(operation, {**typed, "env_id": str(typed["env_id"])})
        assert isinstance(asked, types.InputRequiredResult)
        yes, state = type_name(question_name(question_params(asked))), asked.request_state
        other = await stage.call_round(operation, {**typed, "env_id": str(typed["env_id"] + 1)}, yes, state)
        assert isinstance(other, types.InputRequiredResult) or other.is_error
        assert stage.api.writes == []
        done = await stage.call_round(operation, typed, yes, state)
        assert isinstance(done, types.CallToolResult)
        assert not done.is_error
        assert len(stage.api.writes) == 1


async def test_a_person_is_shown_what_was_understood(catalogue: Catalogue) -> None:
    person = Person(accept_question)
    async with start_session(catalogue, "legacy", person) as stage:
        operation = catalogue.find("auth.UpdateSignInSettings")
        given = complete_arguments(operation)
        await stage.call(operation, given)
        await stage.call(operation, as_text(operation))
    assert len(person.seen) == 2
    assert person.seen[0].message == person.seen[1].message


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "an update's null": ("auth_update_env", {"env_id": 3, "name": "x", "display_name": None}, "display_name: expected"),
    "a number with leading zeros": ("auth_get_env", {"env_id": "03"}, "env_id: expected integer, got text"),
    "one as a truth": (
        "apigateway_get_api_keys",
        {"tenant_only": 1},
        "tenant_only: expected boolean, got a number.",
    ),
    "a list as words": (
        "awsmarketplace_get_customers",
        {"tenant_ids": "a,b"},
        "tenant_ids: expected array, got text of 3 characters. Outcome: not_applied, nothing was changed. Send the array",
    ),
    "a required value that is empty": (
        "auth_get_user_info_by_email",
        {"email": ""},
        "email: required, but empty.",
    ),
    "a required value of blanks": ("auth_get_user_info", {"token": " \u3000"}, "token: required, but empty."),
    "a password as a number": (
        "auth_update_saas_user_password",
        {"user_id": "u", "password": 80431377},
        "password: expected string, got a number.",
    ),
}


@BY_ERA
@pytest.mark.parametrize("case", REFUSED)
async def test_a_doubtful_value_is_never_sent(catalogue: Catalogue, store: Store, era: Era, case: str) -> None:
    name, given, said = REFUSED[case]
    api = StubApi(catalogue)
    async with connect_client(build_pipeline(api, store), era, accept_question) as client:
        result = await client.call_tool(name, given)
    assert result.is_error
    assert reply_text(result).startswith(said), reply_text(result)
    assert "80431377" not in result.model_dump_json()
    assert api.sent == []


@BY_ERA
async def test_our_own_tools_understand_alike(catalogue: Catalogue, store: Store, era: Era) -> None:
    async with connect_client(build_pipeline(StubApi(catalogue), store), era, kind="compact") as client:
        for name, given in (
            ("search_operations", {"query": "tenants", "limit": "3"}),
            ("search_operations", {"query": "tenants", "limit": ""}),
            ("time_convert", {"time": "2026-01-31T09:00:00Z", "zone": None}),
            ("time_convert", {"time": "2026-01-31T09:00:00Z", "zone": ""}),
            ("call_read", {"name": "auth_get_tenants", "arguments": None, "select": ""}),
            ("call_read", {"name": "auth_get_tenants", "arguments": "", "select": None}),
            ("call_read", {"name": "auth_get_env", "arguments": '{"env_id": "3"}'}),
        ):
            result = await client.call_tool(name, given)
            assert not result.is_error, reply_text(result)
        found = await client.call_tool("search_operations", {"query": "tenants", "limit": "3"})
        assert found.structured_content is not None
        assert len(found.structured_content["operations"]) == 3


async def test_a_large_answer_is_kept_under_the_call_that_was_understood(catalogue: Catalogue, store: Store) -> None:
    api = StubApi(catalogue)
    api.answers["auth.SearchTenantUsers"] = {"users": [{"id": f"user-{n}", "email": "x" * 60} for n in range(2_000)]}
    behind = build_pipeline(api, store)
    async with connect_client(behind, "2026-07-28", kind="compact") as client:
        given = {"name": "auth_search_tenant_users", "arguments": '{"limit": "50", "cursor": "", "env_id": null}'}
        cut = reply_text(await client.call_tool("call_read", given))
        assert "select_from_result" in cut
        (kept,) = behind.results.list_results("local:tester")
        whole = behind.results.find_result(kept.id, "local:tester")
        assert whole is not None
        assert whole.origin.calls == (("auth.SearchTenantUsers", {"limit": 50}),)
        picked = await client.call_tool("select_from_result", {"id": kept.id, "expression": "length(users)"})
        assert picked.structured_content == {"result": 2_000}
