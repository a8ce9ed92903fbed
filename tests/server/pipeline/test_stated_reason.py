"""The stated reason of a caller: a person and the audit log see it without secrets, and no decision depends on it."""

from __future__ import annotations

from typing import Any, cast

import pytest
from mcp import types

from saasus_mcp.catalog import Catalogue
from saasus_mcp.catalog.model import MAX_REASON_LENGTH
from saasus_mcp.permissions.approval.approvals import ApprovalService
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.tool_handlers import REASON_META_KEY
from saasus_mcp.store.store import Store
from tests.support.gate import NOW, Person, reply_text, start_session
from tests.support.pipeline import CREDENTIALS, ERAS, PRINCIPAL, Era, StubApi, accept_question, build_pipeline

WHY = "Ticket 4711: phone lost"
RESET = ("auth_reset_saas_user_password", {"user_id": "u"})


def meta(reason: Any) -> types.RequestParamsMeta:
    return cast("types.RequestParamsMeta", {REASON_META_KEY: reason})


@pytest.mark.parametrize("era", ERAS)
async def test_a_reason_in_meta_is_shown_as_the_requesters_and_audited(catalogue: Catalogue, era: Era) -> None:
    person = Person(accept_question)
    async with start_session(catalogue, era, person) as stage:
        result = await stage.client.call_tool(*RESET, meta=meta(WHY))
        assert not result.is_error, reply_text(result)
        [asked] = person.seen
        assert f"Reason given by the requester: “{WHY}”" in asked.message
        begun = [
            each for each in stage.store.audit_log.list_records() if each["event"] == "begun" and "parent" not in each
        ]
        assert [each["stated_reason"] for each in begun] == [WHY]


@pytest.mark.parametrize("era", ERAS)
async def test_a_reason_is_an_argument_of_the_compact_tools_that_write(catalogue: Catalogue, era: Era) -> None:
    person = Person(accept_question)
    async with start_session(catalogue, era, person, kind="compact") as stage:
        given = {"name": RESET[0], "arguments": RESET[1], "reason": WHY}
        result = await stage.client.call_tool("call_write", given)
        assert not result.is_error, reply_text(result)
        assert WHY in person.seen[0].message
        long = await stage.client.call_tool("call_write", {**given, "reason": "x" * (MAX_REASON_LENGTH + 1)})
        assert long.is_error
        assert len(stage.api.writes) == 1
        read = await stage.client.call_tool("call_read", {"name": "auth_get_tenants", "reason": WHY})
        assert "no such argument" in reply_text(read)


@pytest.mark.parametrize("wrong", ["x" * (MAX_REASON_LENGTH + 1), ["a list"], 1])
async def test_an_unknown_reason_is_refused_and_named(catalogue: Catalogue, wrong: Any) -> None:
    async with start_session(catalogue, "legacy", accept_question) as stage:
        result = await stage.client.call_tool(*RESET, meta=meta(wrong))
        assert isinstance(result, types.CallToolResult)
        assert result.is_error
        assert REASON_META_KEY in reply_text(result)
        assert stage.api.sent == []


async def test_another_reason_uses_the_same_approval(catalogue: Catalogue, store: Store) -> None:
    behind = build_pipeline(StubApi(catalogue), store, clock=lambda: NOW)

    async def call(reason: str) -> ToolAnswer:
        given = await behind.run(Call("auth_delete_tenant", {"tenant_id": "t"}, PRINCIPAL, reason=reason))
        assert isinstance(given, ToolAnswer)
        return given

    await call(WHY)
    await call("something else")
    [approval] = store.list_approvals(NOW)
    assert Question.from_json(approval.preview).reason == WHY
    ApprovalService(store).approve(approval, approval.name, "local:person", NOW)
    given = await call("")
    assert given.applied == "applied"
    assert "Changed since the approval" not in given.text


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("two\nlines\tand   spaces", "two lines and spaces"),
        ("right\u202eleft\u200b", "right left"),
        ("the password is hunter22-x", "the password is [redacted]"),
        (f"key {CREDENTIALS.secret_key}", "key [redacted]"),
    ],
)
async def test_a_reason_is_one_visible_line_without_secrets(
    catalogue: Catalogue, store: Store, reason: str, shown: str
) -> None:
    args = {"user_id": "u", "password": "hunter22-x"}
    await build_pipeline(StubApi(catalogue), store).run(
        Call("auth_update_saas_user_password", args, PRINCIPAL, reason=reason)
    )
    own = [each for each in store.audit_log.list_records() if "arguments" in each and "parent" not in each]
    assert [each["stated_reason"] for each in own] == [shown]
