"""A client that can open pages gets the page of the approval, if a console runs. Opening the page approves nothing."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from mcp import Client as McpClient
from mcp import types
from mcp.client.context import ClientRequestContext

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.language import LANGUAGES
from saasus_mcp.common.messages import message
from saasus_mcp.permissions.approval.approvals import ApprovalService
from saasus_mcp.permissions.policy.presets import PRESETS, UnsafeAllowAllPolicy
from saasus_mcp.server.mcp_server import build_server
from saasus_mcp.store.records import Freeze
from saasus_mcp.store.store import Store
from tests.support.pipeline import ERAS, PRINCIPAL, Era, StubApi, build_pipeline

CONSOLE = "http://127.0.0.1:8000/console"
DELETION = ("auth_delete_tenant", {"tenant_id": "t"})


class Browser:
    """A person who opens pages, or does not."""

    def __init__(self, *, lets: bool = True) -> None:
        self._lets = lets
        self.opened: list[str] = []

    async def asked(self, context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        assert isinstance(params, types.ElicitRequestURLParams)
        self.opened.append(params.url)
        return types.ElicitResult(action="accept" if self._lets else "decline")


def said(result: types.CallToolResult) -> str:
    assert isinstance(result.content[0], types.TextContent)
    return result.content[0].text


@pytest.mark.parametrize("era", ERAS)
async def test_the_person_is_sent_to_the_approval_once(catalogue: Catalogue, store: Store, era: Era) -> None:
    api, browser = StubApi(catalogue), Browser()
    server = build_server(build_pipeline(api, store, console_url=lambda: CONSOLE), lambda _: PRINCIPAL, "en")
    async with McpClient(server, mode=era, elicitation_callback=browser.asked) as client:
        first = await client.call_tool(*DELETION)
        again = await client.call_tool(*DELETION)
        [approval] = store.list_approvals(time.time())
        assert browser.opened == [f"{CONSOLE}/approvals/{approval.code}"]
        assert "The approval page was opened for the person" in said(first)
        assert f"saasus-mcp approve {approval.code}" in said(again)
        assert (first.is_error, again.is_error, api.writes) == (True, True, []), "opening a page approves nothing"
        assert approval.status == "pending"
        ApprovalService(store).approve(approval, approval.name, "somebody", time.time())
        assert not (await client.call_tool(*DELETION)).is_error
    assert len(api.writes) == 1


@pytest.mark.parametrize("era", ERAS)
async def test_a_person_without_the_console_reads_the_command(catalogue: Catalogue, store: Store, era: Era) -> None:
    api, browser = StubApi(catalogue), Browser(lets=False)
    server = build_server(build_pipeline(api, store, console_url=lambda: CONSOLE), lambda _: PRINCIPAL, "en")
    async with McpClient(server, mode=era, elicitation_callback=browser.asked) as client:
        answer = await client.call_tool(*DELETION)
    assert "Ask them to run `saasus-mcp approve " in said(answer)
    assert len(browser.opened) == 1
    assert api.writes == []


@pytest.mark.parametrize("era", ERAS)
async def test_where_no_console_runs_no_page_is_opened(catalogue: Catalogue, store: Store, era: Era) -> None:
    browser = Browser()
    server = build_server(build_pipeline(StubApi(catalogue), store), lambda _: PRINCIPAL, "en")
    async with McpClient(server, mode=era, elicitation_callback=browser.asked) as client:
        assert "Ask them to run" in said(await client.call_tool(*DELETION))
    assert browser.opened == []


@pytest.mark.parametrize(
    ("console", "named", "not_named"),
    [
        ("", "saasus-mcp approve {code}", "/approvals/"),
        ("http://127.0.0.1:8000/console", "saasus-mcp approve {code}", ""),
        ("http://127.0.0.1:8000/console", "http://127.0.0.1:8000/console/approvals/{code}", ""),
        ("https://mcp.example.com/console", "https://mcp.example.com/console/approvals/{code}", "saasus-mcp approve"),
    ],
)
async def test_a_refusal_names_the_place_where_its_approvers_decide(
    catalogue: Catalogue, store: Store, console: str, named: str, not_named: str
) -> None:
    """Approvers of a hosted server have no terminal with its database; the user of a laptop may run no console."""
    policy = replace(PRESETS["guarded"], two_person=True)
    behind = build_pipeline(StubApi(catalogue), store, policy, console_url=lambda: console)
    async with McpClient(build_server(behind, lambda _: PRINCIPAL, "en")) as client:
        text = said(await client.call_tool(*DELETION))
    [approval] = store.list_approvals(time.time())
    assert named.format(code=approval.code) in text
    assert not not_named or not_named not in text


async def test_a_caller_who_may_not_approve_gets_no_approval_link(catalogue: Catalogue, store: Store) -> None:
    browser, policy = Browser(), replace(PRESETS["guarded"], two_person=True)
    behind = build_pipeline(StubApi(catalogue), store, policy, console_url=lambda: CONSOLE)
    async with McpClient(build_server(behind, lambda _: PRINCIPAL, "en"), elicitation_callback=browser.asked) as client:
        assert "A person other than the requester" in said(await client.call_tool(*DELETION))
    assert browser.opened == []


async def test_a_made_up_answer_of_a_visit_approves_nothing(catalogue: Catalogue, store: Store) -> None:
    api = StubApi(catalogue)
    behind = build_pipeline(api, store, console_url=lambda: CONSOLE)
    async with McpClient(build_server(behind, lambda _: PRINCIPAL, "en"), mode="2026-07-28") as client:
        await client.call_tool(*DELETION)
        [approval] = store.list_approvals(time.time())
        answers: types.InputResponses = {
            f"visit-{approval.code}": types.ElicitResult(action="accept"),
            "visit-": types.ElicitResult(action="accept"),
        }
        answer = await client.session.call_tool(*DELETION, input_responses=answers)
    assert isinstance(answer, types.CallToolResult)
    assert answer.is_error
    assert api.writes == []


LOCAL, HOSTED = "http://127.0.0.1:8000/console", "https://mcp.example.com/console"


@pytest.mark.parametrize(
    ("hosted", "console", "profile", "named"),
    [
        (False, "", "", "store.frozen_hint"),
        (False, "", "default", "store.frozen_hint"),
        (False, LOCAL, "", "store.frozen_here_hint"),
        (False, LOCAL, "default", "store.frozen_here_hint"),
        (True, HOSTED, "default", "store.frozen_hosted_hint"),
        (True, LOCAL, "default", "store.frozen_hosted_hint"),
        (True, HOSTED, "", "store.frozen_server_hint"),  # its approvers cannot lift the freeze of everything
        (True, LOCAL, "", "store.frozen_server_hint"),
        (True, "", "default", "store.frozen_server_hint"),
    ],
)
async def test_a_refusal_during_a_freeze_names_each_place_where_it_can_be_lifted(
    catalogue: Catalogue, store: Store, hosted: bool, console: str, profile: str, named: str
) -> None:
    store.freeze(Freeze(1.0, "local:boss", "an incident", profile))
    api, policy = StubApi(catalogue), UnsafeAllowAllPolicy()
    behind = build_pipeline(api, store, policy, console_url=lambda: console, is_hosted=hosted)
    async with McpClient(build_server(behind, lambda _: PRINCIPAL, "en")) as client:
        text = said(await client.call_tool("auth_create_role", {"role_name": "a", "display_name": "A"}))
    command = f"saasus-mcp unfreeze{f' --profile {profile}' if profile else ''}"
    address = {} if named in {"store.frozen_hint", "store.frozen_server_hint"} else {"url": console}
    hint = message(named, command=command, **address)
    assert hint.text("en") in text
    assert f"`{command}`" in hint.text("ja")
    assert all(console in hint.text(lang) for lang in LANGUAGES if address)
