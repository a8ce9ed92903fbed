"""A real client at a real port, in both protocol eras and over SSE: lists, calls, questions, approvals, and whose is whose."""

from __future__ import annotations

import json
import time
from typing import Any

import anyio
import httpx2
import pytest
from mcp import types

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.messages import message
from saasus_mcp.hosting.auth.authentication import Caller
from saasus_mcp.hosting.http.mcp_transports import LARGE_BODY
from saasus_mcp.hosting.limits import concurrency
from saasus_mcp.permissions.approval.approvals import ApprovalService
from saasus_mcp.permissions.policy.model import Policy, Principal
from saasus_mcp.store.errors import StoreError
from tests.support.arguments import complete_arguments
from tests.support.gate import APPROVAL_CODE, reply_text, target_answers
from tests.support.hosting_server import (
    INITIALIZE,
    MCP,
    TRANSPORTS,
    HostingServer,
    StaticAuthenticator,
    Transport,
    build_caller,
    build_server,
    connect_client,
    error_message,
)
from tests.support.pipeline import accept_question
from tests.support.policies import build_policy, build_rule
from tests.support.processes import TIMEOUT

PING = {"jsonrpc": "2.0", "id": 9, "method": "ping"}
TWO = {"production": ("operators",), "staging": ("support", "operators")}


def by_group() -> Policy:
    return build_policy(
        build_rule("reads", levels=("read",), tools=()),
        build_rule("all", who=("operators",)),
        build_rule("named", who=("token:carol",), tools=("auth_delete_tenant",)),
    )


def audit(made: HostingServer, profile: str = "default") -> list[dict[str, Any]]:
    return made.served[profile].pipeline.store.audit_log.list_records()


@pytest.mark.parametrize("way", TRANSPORTS)
async def test_a_client_lists_and_calls_and_the_audit_says_who(catalogue: Catalogue, way: Transport) -> None:
    made = build_server(catalogue)
    async with made.serve() as url, connect_client(url, way) as client:
        listed = await client.list_tools()
        result = await client.call_tool("auth_get_tenants", {})
    assert {"auth_get_tenants", "auth_delete_tenant"} <= {tool.name for tool in listed.tools}
    assert not result.is_error, reply_text(result)
    assert [record["principal"] for record in audit(made) if record["event"] == "begun"] == ["token:alice"]
    if way == "2026-07-28":
        assert listed.cache_scope == "private"


@pytest.mark.parametrize("way", TRANSPORTS)
async def test_a_client_that_shows_apps_gets_them_over_every_transport(catalogue: Catalogue, way: Transport) -> None:
    made = build_server(catalogue)
    async with made.serve() as url:
        for apps in (True, False):
            async with connect_client(url, way, apps=apps) as client:
                [tool] = [each for each in (await client.list_tools()).tools if each.name == "auth_get_tenants"]
                assert tool.meta is not None
                assert ("ui" in tool.meta) is apps
                result = await client.call_tool("auth_get_tenants", {})
                assert ("saasus.io/app" in (result.meta or {})) is apps
                if apps:
                    [document] = (await client.read_resource(tool.meta["ui"]["resourceUri"])).contents
                    assert document.mime_type == "text/html;profile=mcp-app"


@pytest.mark.slow
@pytest.mark.parametrize("way", TRANSPORTS)
async def test_each_caller_sees_and_does_what_its_groups_may(catalogue: Catalogue, way: Transport) -> None:
    known = StaticAuthenticator(
        {"a": build_caller("alice", "support"), "b": build_caller("bob", "operators"), "c": build_caller("carol")}
    )
    made = build_server(catalogue, known=known, policy=by_group())
    names, results = {}, {}
    async with made.serve() as url:
        for token in known.callers:
            async with connect_client(url, way, token) as client:
                names[token] = {tool.name for tool in (await client.list_tools()).tools}
                results[token] = await client.call_tool(
                    "auth_create_tenant_invitation", complete_arguments(invitation(catalogue))
                )
    assert len(names["b"]) > len(names["c"]) > len(names["a"])
    assert names["c"] - names["a"] == {"auth_delete_tenant"}
    assert [result.is_error for result in results.values()] == [True, False, True]
    assert len(made.apis["default"].writes) == 1


def invitation(catalogue: Catalogue) -> Any:
    return catalogue.find("auth_create_tenant_invitation")


@pytest.mark.parametrize("way", TRANSPORTS)
async def test_each_profile_has_its_own_server_and_its_own_store(catalogue: Catalogue, way: Transport) -> None:
    made = build_server(catalogue, TWO, known=StaticAuthenticator({"alice-token": build_caller("alice", "operators")}))
    async with made.serve() as url, connect_client(url, way, path="/staging") as client:
        result = await client.call_tool("auth_get_tenants", {})
    assert "staging" in reply_text(result)
    assert (len(made.apis["staging"].sent), len(made.apis["production"].sent)) == (1, 0)
    assert (len(audit(made, "staging")), len(audit(made, "production"))) == (2, 0)


@pytest.mark.parametrize("way", TRANSPORTS)
async def test_a_person_is_asked_through_the_client_and_the_call_goes_once(
    catalogue: Catalogue, way: Transport
) -> None:
    made, operation = build_server(catalogue), catalogue.find("auth_delete_tenant_user")
    api = made.apis["default"]
    api.answers = target_answers(catalogue, operation)
    asked: list[str] = []

    def person(params: types.ElicitRequestFormParams) -> types.ElicitResult:
        asked.append(params.message)
        return accept_question(params)

    async with made.serve() as url, connect_client(url, way, answering=person) as client:
        result = await client.call_tool(operation.tool, complete_arguments(operation))
    assert not result.is_error, reply_text(result)
    assert len(asked) == len(api.writes) == 1
    assert any(record.get("proof") == "confirmation" for record in audit(made))


@pytest.mark.parametrize("way", TRANSPORTS)
async def test_an_approval_given_elsewhere_lets_the_same_call_of_the_same_caller_go_once(
    catalogue: Catalogue, way: Transport
) -> None:
    known = StaticAuthenticator(
        {"alice-token": build_caller("alice", "support"), "bob-token": build_caller("bob", "support")}
    )
    made, operation = build_server(catalogue, known=known), catalogue.find("auth_delete_tenant")
    api = made.apis["default"]
    api.answers = target_answers(catalogue, operation)
    approvals = ApprovalService(made.served["default"].pipeline.store)
    async with made.serve() as url:
        async with connect_client(url, way) as client:
            waiting = await client.call_tool(operation.tool, complete_arguments(operation))
            found = APPROVAL_CODE.search(reply_text(waiting))
            assert found, reply_text(waiting)
            [approval] = approvals.store.list_approvals(time.time())
            assert (approval.code, approval.principal) == (found[1], "token:alice")
            approvals.approve(approval, approval.name, "token:boss", approval.requested_at)
        async with connect_client(url, way, "bob-token") as client:
            assert (await client.call_tool(operation.tool, complete_arguments(operation))).is_error
        assert api.writes == []
        async with connect_client(url, way) as client:
            assert not (await client.call_tool(operation.tool, complete_arguments(operation))).is_error
            assert (await client.call_tool(operation.tool, complete_arguments(operation))).is_error
    assert len(api.writes) == 1


@pytest.mark.slow
@pytest.mark.parametrize("way", TRANSPORTS)
async def test_the_bearer_is_in_no_log_no_audit_and_no_request_to_the_api(
    catalogue: Catalogue, way: Transport, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    bearer = "a-bearer-that-nobody-else-may-see"
    made = build_server(catalogue, known=StaticAuthenticator({bearer: build_caller("alice", "support")}))
    operation = catalogue.find("auth_delete_tenant_user")
    made.apis["default"].answers = target_answers(catalogue, operation)
    with caplog.at_level("DEBUG", logger="saasus_mcp"), caplog.at_level("INFO"):
        async with made.serve() as url:
            async with connect_client(url, way, bearer, accept_question) as client:
                await client.list_tools()
                await client.call_tool(operation.tool, complete_arguments(operation))
                await client.call_tool("auth_delete_tenant", {"tenant_id": "t"})
                await client.call_tool("nowhere", {})
            async with httpx2.AsyncClient() as http:
                await http.post(
                    f"{url}/mcp?token={bearer}", headers={"Authorization": f"Bearer {bearer}x"}, content=b"{"
                )
                await http.post(f"{url}/mcp", headers={"Authorization": f"Bearer {bearer}", **MCP}, content=b"{")
    assert made.apis["default"].writes
    upstream = [(str(request.url), dict(request.headers), request.content) for request in made.apis["default"].sent]
    for seen in (caplog.text, capfd.readouterr(), json.dumps(audit(made)), upstream):
        assert bearer not in str(seen)


async def test_anothers_session_is_not_there(catalogue: Catalogue) -> None:
    known = StaticAuthenticator(
        {
            "alice-token": build_caller("alice", "support"),
            "bob-token": build_caller("bob", "support"),
            "same-program": build_caller("bob", "support", client_id="alice"),
            "same-name-elsewhere": build_caller("alice", "support", issuer="https://login.example.com"),
        }
    )
    made = build_server(catalogue, known=known)
    listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    async with made.client() as client:
        opened = await client.post("/mcp", json=INITIALIZE)
        session = {"Mcp-Session-Id": opened.headers["Mcp-Session-Id"], "MCP-Protocol-Version": "2025-11-25"}
        for token in known.callers:
            theirs = {**session, "Authorization": f"Bearer {token}"}
            for method in ("POST", "DELETE") if token != "alice-token" else ("POST",):
                answer = await client.request(method, "/mcp", json=listing, headers=theirs)
                assert answer.status_code == (200 if token == "alice-token" else 404), (token, method)
        assert (
            await client.post("/mcp", json=listing, headers={**session, "Mcp-Session-Id": "0" * 32})
        ).status_code == 404
        assert (await client.post("/mcp", json=listing, headers=session)).status_code == 200, "and it goes on"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "Batches"),
        ([PING], "Batches"),
        (None, "JSON object"),
        ("ping", "JSON object"),
        ({"id": 1, "method": "ping"}, "`jsonrpc`"),
        ({**PING, "id": None}, "`id`"),
        ({**PING, "id": {}}, "`id`"),
        ({**PING, "id": True}, "`id`"),
        ({**PING, "id": 1.0}, "`id`"),
        ({**PING, "id": 1.5}, "`id`"),
        ({**PING, "method": 7}, "`method`"),
        ({**PING, "params": [1]}, "`params`"),
        ({"jsonrpc": "2.0", "id": 1}, "`method`"),
    ],
)
async def test_a_message_that_would_never_be_answered_is_refused_in_one_line(
    catalogue: Catalogue, body: object, said: str
) -> None:
    async with build_server(catalogue).client() as client:
        opened = await client.post("/mcp", json=INITIALIZE)
        session = {"Mcp-Session-Id": opened.headers["Mcp-Session-Id"], "MCP-Protocol-Version": "2025-11-25"}
        answer = await client.post("/mcp", content=json.dumps(body), headers={**MCP, **session})
        assert (answer.status_code, said in error_message(answer)) == (400, True), answer.text
        assert "\n" not in error_message(answer)
        notice = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert (await client.post("/mcp", json=notice, headers=session)).status_code == 202
        assert (await client.post("/mcp", json=PING, headers=session)).status_code == 200, "and it goes on"


async def test_a_session_of_one_profile_is_refused_by_another(catalogue: Catalogue) -> None:
    made = build_server(catalogue, TWO, known=StaticAuthenticator({"alice-token": build_caller("alice", "operators")}))
    async with made.client() as client:
        opened = await client.post("/mcp/staging", json=INITIALIZE)
        session = {"Mcp-Session-Id": opened.headers["Mcp-Session-Id"], "MCP-Protocol-Version": "2025-11-25"}
        listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
        assert (await client.post("/mcp/production", json=listing, headers=session)).status_code == 404
        assert (await client.post("/mcp/staging", json=listing, headers=session)).status_code == 200


async def test_a_caller_who_loses_its_groups_loses_its_session(catalogue: Catalogue) -> None:
    known = StaticAuthenticator()
    async with build_server(catalogue, {"default": ("support",)}, known=known).client() as client:
        opened = await client.post("/mcp", json=INITIALIZE)
        session = {"Mcp-Session-Id": opened.headers["Mcp-Session-Id"], "MCP-Protocol-Version": "2025-11-25"}
        known.callers["alice-token"] = build_caller("alice", "gardeners")
        listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
        assert (await client.post("/mcp", json=listing, headers=session)).status_code == 403


async def test_anothers_stream_over_sse_takes_no_message(catalogue: Catalogue) -> None:
    known = StaticAuthenticator(
        {"alice-token": build_caller("alice", "support"), "bob-token": build_caller("bob", "support")}
    )
    async with (
        build_server(catalogue, known=known).serve() as url,
        httpx2.AsyncClient(base_url=url, headers={"Authorization": "Bearer alice-token"}) as alice,
        alice.stream("GET", "/sse") as stream,
    ):
        lines = stream.aiter_lines()
        endpoint = await next_event(lines)
        assert endpoint.startswith("/messages/default/?session_id=")
        bobs = {"Authorization": "Bearer bob-token"}
        assert (await alice.post(endpoint, json=INITIALIZE, headers=bobs)).status_code == 404
        assert (await alice.post(endpoint, json=INITIALIZE)).status_code == 202
        assert '"serverInfo"' in await next_event(lines)


async def next_event(lines: Any) -> str:
    """Return the data of the next event."""
    async for line in lines:
        if line.startswith("data: "):
            return str(line.removeprefix("data: "))
    raise AssertionError("the stream ended")


class Expiring:
    """Believes everybody, for a moment."""

    async def authenticate(self, token: str) -> Caller | None:
        return build_caller("alice", "support", expires_at=time.time() + 0.2)


async def test_a_stream_ends_with_the_token_that_opened_it(catalogue: Catalogue) -> None:
    async with (
        build_server(catalogue, known=Expiring()).serve() as url,
        httpx2.AsyncClient(base_url=url, headers={"Authorization": "Bearer alice-token"}, timeout=30) as alice,
        alice.stream("GET", "/sse") as stream,
    ):
        assert [line async for line in stream.aiter_lines() if line.startswith("event: ")] == ["event: endpoint"]


class Revoking:
    """Believes everybody. Asked about a token, it cannot tell at first, then says that it is valid, then that it was revoked."""

    def __init__(self) -> None:
        self.answers = [True, False, None]

    async def authenticate(self, token: str) -> Caller | None:
        return build_caller("alice", "support", expires_at=time.time() + 3600)

    async def is_revoked(self, principal: Principal) -> bool:
        answer = self.answers.pop()
        if answer is None:
            raise StoreError.of("store.database_failed")
        return answer


async def test_a_stream_ends_soon_after_its_token_was_revoked(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concurrency, "REVOCATION_SECONDS", 0.01)
    known = Revoking()
    with anyio.fail_after(TIMEOUT):
        async with (
            build_server(catalogue, known=known).serve() as url,
            httpx2.AsyncClient(base_url=url, headers={"Authorization": "Bearer alice-token"}) as alice,
            alice.stream("GET", "/sse") as stream,
        ):
            assert [line async for line in stream.aiter_lines() if line.startswith("event: ")] == ["event: endpoint"]
    assert known.answers == []


class Hanging(Expiring):
    """Believes everybody for a moment, and never says whether a token was revoked."""

    async def is_revoked(self, principal: Principal) -> bool:
        await anyio.sleep_forever()
        return False


async def test_a_stream_ends_in_time_while_nobody_can_tell_whether_its_token_was_revoked(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concurrency, "REVOCATION_SECONDS", 0.01)
    with anyio.fail_after(TIMEOUT):
        async with (
            build_server(catalogue, known=Hanging()).serve() as url,
            httpx2.AsyncClient(base_url=url, headers={"Authorization": "Bearer alice-token"}) as alice,
            alice.stream("GET", "/sse") as stream,
        ):
            assert [line async for line in stream.aiter_lines() if line.startswith("event: ")] == ["event: endpoint"]


@pytest.mark.parametrize("filler", ["", "x" * (LARGE_BODY + 1)], ids=["small", "large"])
async def test_a_request_with_a_field_twice_is_refused_before_anything_is_called(
    catalogue: Catalogue, filler: str
) -> None:
    made = build_server(catalogue)
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "auth_get_tenants", "arguments": {}}}
    body = json.dumps({**call, "filler": filler}).replace('"arguments": {}', '"arguments": {"a": 1}, "arguments": {}')
    async with made.client() as client:
        answer = await client.post("/mcp", content=body, headers=MCP)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == message("arguments.message_repeats_field", name="arguments").text("en")
    assert audit(made) == []


@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize("way", TRANSPORTS)
async def test_a_read_reports_its_attempts_to_a_client_that_asks_for_progress(
    catalogue: Catalogue, way: Transport, asks: bool
) -> None:
    made, heard = build_server(catalogue), list[str]()
    answers = iter([httpx2.Response(503, headers={"Retry-After": "0"})])
    made.apis["default"].answers["auth.GetRoles"] = lambda _: next(answers, httpx2.Response(200, json={"roles": []}))

    async def hear(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001 - the SDK's
        heard.append(message or "")

    async with made.serve() as url, connect_client(url, way) as client:
        given = await client.call_tool("auth_get_roles", {}, progress_callback=hear if asks else None)
    assert not given.is_error
    assert ["attempt 1" in each for each in heard] == [True] * asks
