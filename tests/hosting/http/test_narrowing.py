"""Headers and addresses that narrow a connection: nothing outside is listed or allowed, in either era, and nothing widens it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx2
import pytest
from mcp import Client as McpClient
from mcp.client.sse import sse_client

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.hosting.request_narrowing import NARROWING_KEY, SseNarrowings
from saasus_mcp.permissions.policy.narrowing import EXCLUDE_ALL, Narrowing
from saasus_mcp.server.surface.narrowing import HELPER_TOOLS
from saasus_mcp.settings.validation import SettingsError
from tests.support.arguments import minimal_arguments
from tests.support.gate import reply_text
from tests.support.hosting_server import (
    INITIALIZE,
    TRANSPORTS,
    HostingServer,
    StaticAuthenticator,
    Transport,
    build_server,
    connect_client,
    error_message,
    provider_table,
)
from tests.support.pipeline import ERAS, operation_tools
from tests.support.variants import sample_cases, sample_operations

Left = Callable[[Operation], bool]
USERS: Left = lambda each: each.toolset == "users"  # noqa: E731 - a name for each condition
BY_HEADER: Mapping[str, tuple[Mapping[str, str], Left]] = {
    "toolsets": ({"X-MCP-Toolsets": "users, tenants"}, lambda each: each.toolset in ("users", "tenants")),
    "tools": (
        {"X-MCP-Tools": "auth_get_role*,auth_delete_tenant"},
        lambda each: each.tool.startswith("auth_get_role") or each.tool == "auth_delete_tenant",
    ),
    "exclude": ({"X-MCP-Exclude-Tools": "*_delete_*"}, lambda each: "_delete_" not in each.tool),
    "readonly": ({"X-MCP-Readonly": "true"}, lambda each: each.reads),
    "all of them": (
        {
            "X-MCP-Toolsets": "users",
            "X-MCP-Tools": "auth_*",
            "X-MCP-Exclude-Tools": "auth_get_saas_user",
            "X-MCP-Readonly": "1",
        },
        lambda each: USERS(each) and each.reads and each.tool.startswith("auth_") and each.tool != "auth_get_saas_user",
    ),
}
BY_PATH: Mapping[str, Left] = {
    "/readonly": lambda each: each.reads,
    "/x/users": USERS,
    "/x/users,roles": lambda each: each.toolset in ("users", "roles"),
    "/x/users/readonly": lambda each: USERS(each) and each.reads,
    "/x/all/readonly": lambda each: each.reads,
    "/default/readonly": lambda each: each.reads,
    "/default/x/users": USERS,
    "/default/x/users/readonly": lambda each: USERS(each) and each.reads,
}


def tools_of(catalogue: Catalogue, left: Left) -> list[str]:
    return [each.tool for each in catalogue if left(each)]


def refusals(made: HostingServer) -> list[str]:
    store = made.served["default"].pipeline.store
    return [record["refused"] for record in store.audit_log.list_records() if record["event"] == "refused"]


@pytest.mark.slow
@pytest.mark.parametrize("header", list(BY_HEADER)[:4])
@pytest.mark.parametrize("era", ERAS)
async def test_of_all_operations_none_outside_is_listed_or_allowed(
    catalogue: Catalogue, era: Transport, header: str
) -> None:
    headers, left = BY_HEADER[header]
    made = build_server(catalogue)
    outside = sample_operations([each for each in catalogue if not left(each)], f"{era} {header}")
    async with made.serve() as url, connect_client(url, era, narrowing=headers) as client:
        listed = operation_tools((await client.list_tools()).tools)
        assert [tool.name for tool in listed] == tools_of(catalogue, left)
        assert listed
        for each in outside:
            refused = await client.call_tool(each.tool, minimal_arguments(each))
            assert refused.is_error
            assert f"{each.tool} is not allowed: this connection" in reply_text(refused)
    assert made.apis["default"].sent == []
    assert refusals(made) == ["narrowed"] * len(outside)


@pytest.mark.slow
@pytest.mark.parametrize("path", sample_cases(BY_PATH, 3))
async def test_an_address_narrows_as_the_headers_do(catalogue: Catalogue, path: str) -> None:
    made = build_server(catalogue)
    async with made.serve() as url:
        for way in TRANSPORTS:
            async with connect_client(url, way, path=path) as client:
                listed = operation_tools((await client.list_tools()).tools)
                assert [tool.name for tool in listed] == tools_of(catalogue, BY_PATH[path])
                refused = await client.call_tool("auth_delete_tenant", {"tenant_id": "t-1"})
                assert "auth_delete_tenant is not allowed: this connection" in reply_text(refused)
    assert made.apis["default"].sent == []


async def test_headers_narrow_an_address_and_an_address_headers(catalogue: Catalogue) -> None:
    made, headers = build_server(catalogue), {"X-MCP-Toolsets": "roles", "X-MCP-Readonly": "false"}
    async with (
        made.serve() as url,
        connect_client(url, "2026-07-28", path="/x/users,roles/readonly", narrowing=headers) as client,
    ):
        listed = operation_tools((await client.list_tools()).tools)
    wanted = tools_of(catalogue, lambda each: each.toolset == "roles" and each.reads)
    assert [tool.name for tool in listed] == wanted


@pytest.mark.parametrize("way", TRANSPORTS)
async def test_calls_within_the_narrowing_are_allowed_and_the_audit_names_it(
    catalogue: Catalogue, way: Transport
) -> None:
    made, headers = build_server(catalogue), {"X-MCP-Tools": "auth_get_tenants", "X-MCP-Readonly": "yes"}
    async with made.serve() as url, connect_client(url, way, narrowing=headers) as client:
        assert not (await client.call_tool("auth_get_tenants", {})).is_error
        assert (await client.call_tool("no_such_tool", {})).is_error
    records = made.served["default"].pipeline.store.audit_log.list_records()
    told = [record["narrowing"] for record in records if record["event"] in ("begun", "refused")]
    assert told == [{"tools": ["auth_get_tenants"], "read_only": True}] * 2


@pytest.mark.parametrize("way", TRANSPORTS)
async def test_nothing_else_that_the_server_offers_reaches_what_is_left_out(
    catalogue: Catalogue, way: Transport
) -> None:
    made = build_server(catalogue)
    headers = {"X-MCP-Exclude-Tools": "auth_get_tenants"}
    async with made.serve() as url, connect_client(url, way, narrowing=headers) as client:
        for name in ("call_read", "describe_operation"):
            refused = await client.call_tool(name, {"name": "auth_get_tenants"})
            assert refused.is_error, reply_text(refused)
        found = await client.call_tool("search_operations", {"query": "list tenants", "limit": 50})
        assert "auth_get_tenants" not in json.dumps(found.structured_content)
        with pytest.raises(Exception, match="Unknown resource"):
            await client.read_resource("saasus://catalog/auth_get_tenants")
        policy = json.loads((await client.read_resource("saasus://policy")).contents[0].text)  # type: ignore[union-attr]
        assert "auth_get_tenants" not in {each["name"] for each in policy["tools"]}
        assert policy["narrowing"] == {"exclude": ["auth_get_tenants"]}
    assert made.apis["default"].sent == []


@pytest.mark.parametrize("name", sample_cases(sorted(HELPER_TOOLS - {"job_run", "job_status", "job_control"}), 3))
async def test_a_tool_of_our_own_is_excluded_by_its_name(catalogue: Catalogue, name: str) -> None:
    made = build_server(catalogue)
    async with (
        made.serve() as url,
        connect_client(url, "2026-07-28", narrowing={"X-MCP-Exclude-Tools": name}) as client,
    ):
        assert name not in {tool.name for tool in (await client.list_tools()).tools}
        assert f"{name} is not allowed: this connection excludes it" in reply_text(await client.call_tool(name, {}))


# -- a session is never widened ---------------------------------------------------------------------------------------


def request(method: str, number: int = 2, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def result(answer: httpx2.Response) -> dict[str, Any]:
    """Return the result of an answer, which is JSON or the only event of a stream."""
    body = answer.text if answer.text.startswith("{") else answer.text.partition("data: ")[2].partition("\n")[0]
    found: dict[str, Any] = json.loads(body)["result"]
    return found


@pytest.mark.parametrize(
    ("first", "later", "left"),
    [
        ({"X-MCP-Toolsets": "users"}, {}, USERS),
        ({"X-MCP-Toolsets": "users"}, {"X-MCP-Toolsets": "users,tenants"}, USERS),
        ({"X-MCP-Toolsets": "users"}, {"X-MCP-Readonly": "1"}, lambda each: USERS(each) and each.reads),
        ({"X-MCP-Readonly": "1"}, {"X-MCP-Readonly": "0"}, lambda each: each.reads),
        ({"X-MCP-Toolsets": "users"}, {"X-MCP-Toolsets": "roles"}, lambda _: False),
        ({}, {"X-MCP-Toolsets": "users"}, USERS),
    ],
)
async def test_a_session_stays_as_narrow_as_it_began(
    catalogue: Catalogue, first: Mapping[str, str], later: Mapping[str, str], left: Left
) -> None:
    made = build_server(catalogue)
    async with made.client() as client:
        began = await client.post("/mcp", json=INITIALIZE, headers=first)
        session = {"Mcp-Session-Id": began.headers["mcp-session-id"]}
        await client.post(
            "/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers={**session, **later}
        )
        for _ in range(2):
            answer = await client.post("/mcp", json=request("tools/list"), headers={**session, **later})
            names = [each["name"] for each in result(answer)["tools"] if "_meta" in each]
            assert names == tools_of(catalogue, left)
        call = request("tools/call", name="auth_delete_tenant", arguments={"tenant_id": "t-1"})
        refused = await client.post("/mcp", json=call, headers={**session, **later})
        assert "auth_delete_tenant is not allowed" in result(refused)["content"][0]["text"]
    assert made.apis["default"].sent == []


async def test_a_message_over_sse_gets_no_more_than_the_request_that_opened_its_connection(
    catalogue: Catalogue,
) -> None:
    made = build_server(catalogue)

    class Widening(httpx2.Auth):
        """Takes the narrowing out of every request but the first."""

        def auth_flow(self, asked: httpx2.Request) -> Any:
            if asked.method == "POST":
                del asked.headers["X-MCP-Readonly"]
            yield asked

    headers = {"Authorization": "Bearer alice-token", "X-MCP-Readonly": "true"}
    async with (
        made.serve() as url,
        McpClient(sse_client(f"{url}/sse", headers, auth=Widening()), mode="legacy") as client,
    ):
        listed = operation_tools((await client.list_tools()).tools)
        assert [tool.name for tool in listed] == tools_of(catalogue, lambda each: each.reads)
        refused = await client.call_tool("auth_create_role", {"role_name": "r", "display_name": "R"})
        assert "limited to reads" in reply_text(refused)
    assert made.apis["default"].sent == []


async def test_requests_of_2026_07_28_are_narrowed_each_by_itself(catalogue: Catalogue) -> None:
    version = "2026-07-28"
    meta = {"protocolVersion": version, "clientCapabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    asking = request("tools/list", _meta={f"io.modelcontextprotocol/{name}": value for name, value in meta.items()})
    async with build_server(catalogue).client(
        **{"MCP-Protocol-Version": version, "Mcp-Method": "tools/list"}
    ) as client:
        for headers, left in (*BY_HEADER.values(), ({}, lambda _: True)):
            answer = await client.post("/mcp", json=asking, headers=headers)
            names = [each["name"] for each in result(answer)["tools"] if "_meta" in each]
            assert names == tools_of(catalogue, left)


# -- what cannot be read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ([("X-MCP-Toolsets", "user")], ("X-MCP-Toolsets: there is no toolset 'user'.", "Nearest: users")),
        ([("X-MCP-Toolsets", "users;tenants")], ("X-MCP-Toolsets: there is no toolset 'users;tenants'.",)),
        ([("X-MCP-Toolsets", "")], ("X-MCP-Toolsets is empty.", "omit it")),
        ([("X-MCP-Toolsets", " , ")], ("X-MCP-Toolsets is empty.",)),
        (
            [("X-MCP-Tools", "auth_get_tenantz")],
            ("X-MCP-Tools: there is no tool 'auth_get_tenantz'.", "auth_get_tenant"),
        ),
        ([("X-MCP-Tools", "")], ("X-MCP-Tools is empty.",)),
        ([("X-MCP-Tools", "delete_*")], ("X-MCP-Tools: no tool matches 'delete_*'.",)),
        ([("X-MCP-Tools", "auth_?et_*")], ("X-MCP-Tools: no tool matches",)),
        ([("X-MCP-Tools", ",".join(f"a{i}*" for i in range(40)))], ("more than 32 globs",)),
        ([("X-MCP-Tools", "*a*b*c*d*")], ("more than 4 asterisks",)),
        ([("X-MCP-Tools", "a" * 17_000)], ("longer than 16,384 characters",)),
        ([("X-MCP-Exclude-Tools", "auth_remove_tenant")], ("X-MCP-Exclude-Tools: there is no tool",)),
        ([("X-MCP-Exclude-Tools", "*_remove_everything")], ("X-MCP-Exclude-Tools: no tool matches",)),
        ([("X-MCP-Readonly", "maybe")], ("X-MCP-Readonly: 'maybe'", "true or false")),
        ([("X-MCP-Readonly", "")], ("X-MCP-Readonly: ''",)),
        (
            [("X-MCP-Readonly", "true"), ("X-MCP-Readonly", "false")],
            ("The header X-MCP-Readonly occurs more than once.",),
        ),
        ([("X-MCP-Tools", "time_now"), ("x-mcp-tools", "auth_*")], ("The header X-MCP-Tools occurs more than once.",)),
        ([("X-MCP-Read-Only", "true")], ("Unknown header 'x-mcp-read-only'", "Nearest: X-MCP-Readonly")),
        ([("X-MCP-Toolset", "users")], ("Unknown header 'x-mcp-toolset'", "Nearest: X-MCP-Toolsets")),
        ([("X_MCP_Tools", "time_now")], ("Unknown header 'x_mcp_tools'", "Nearest: X-MCP-Tools")),
        ([("X-MCP-Exclude-Tool", "time_now")], ("Nearest: X-MCP-Exclude-Tools",)),
        ([("X-MCP-Tools", "\x80\xff")], ("X-MCP-Tools: there is no tool",)),
    ],
)
async def test_a_header_that_cannot_be_read_is_refused_with_its_name_and_the_nearest(
    catalogue: Catalogue, headers: list[tuple[str, str]], words: tuple[str, ...]
) -> None:
    made = build_server(catalogue)
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    async with made.client() as client:
        for message in (INITIALIZE, request("tools/list")):
            built = client.build_request("POST", "/mcp", json=message)
            built = httpx2.Request("POST", built.url, headers=[*built.headers.raw, *raw], content=built.content)
            answer = await client.send(built)
            assert answer.status_code == 400
            for expected in words:
                assert expected in error_message(answer)


@pytest.mark.parametrize("path", ["/mcp/x/user", "/mcp/x/readonly", "/mcp/default/x/user", "/mcp/x/user/readonly"])
async def test_a_toolset_in_an_address_that_there_is_not_is_refused(catalogue: Catalogue, path: str) -> None:
    async with build_server(catalogue).client() as client:
        answer = await client.post(path, json=INITIALIZE)
    assert answer.status_code == 400
    assert "The path: there is no toolset" in error_message(answer)


@pytest.mark.parametrize(
    "path", ["/mcp/x/users/writable", "/mcp/x//readonly", "/mcp/readonly/x/users", "/mcp/READONLY"]
)
async def test_an_address_that_means_nothing_is_never_the_whole_server(catalogue: Catalogue, path: str) -> None:
    async with build_server(catalogue).client() as client:
        answer = await client.post(path, json=INITIALIZE)
    assert answer.status_code in (400, 403, 404)


async def test_other_headers_of_gateways_are_not_changed(catalogue: Catalogue) -> None:
    others = {"X-MCP-Lockdown": "true", "X-MCP-Proxy-Auth": "b", "X-MCP-Session": "a", "X-MCP-Server-Name": "s"}
    async with build_server(catalogue).client(**others) as client:
        assert (await client.post("/mcp", json=INITIALIZE)).status_code == 200


async def test_nobody_learns_anything_by_narrowing_who_is_not_let_in(catalogue: Catalogue) -> None:
    async with build_server(catalogue).client(None) as client:
        answer = await client.post("/mcp/x/nothing", json=INITIALIZE, headers={"X-MCP-Tools": "nothing"})
    assert answer.status_code == 401


async def test_a_page_of_an_allowed_origin_may_send_the_headers(catalogue: Catalogue) -> None:
    wanted = "x-mcp-toolsets, x-mcp-tools, x-mcp-exclude-tools, x-mcp-readonly"
    preflight = {
        "Origin": "http://localhost:6274",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": wanted,
    }
    async with build_server(catalogue).client(None) as client:
        for path in ("/mcp", "/mcp/x/users/readonly"):
            answer = await client.options(path, headers=preflight)
            assert answer.status_code == 200
            allowed = answer.headers["access-control-allow-headers"].lower()
            assert set(wanted.split(", ")) <= {each.strip() for each in allowed.split(",")}


@pytest.mark.parametrize("name", ["readonly", "x"])
def test_a_profile_cannot_have_the_name_of_a_narrowing_address(catalogue: Catalogue, name: str) -> None:
    with pytest.raises(SettingsError, match=f"cannot be named '{name}'"):
        build_server(catalogue, {name: "*"})


async def test_a_narrowed_address_is_the_resource_that_a_token_is_for(catalogue: Catalogue) -> None:
    made = build_server(
        catalogue, jwt=provider_table(audience=["https://mcp.example.com"]), known=StaticAuthenticator({})
    )
    paths = {
        "/mcp/readonly": "/mcp",
        "/mcp/x/users": "/mcp",
        "/mcp/x/users/readonly": "/mcp",
        "/mcp/default/x/users/readonly": "/mcp/default",
        "/mcp/default/readonly": "/mcp/default",
    }
    async with made.client(None) as client:
        for path, resource in paths.items():
            answer = await client.post(path, json=INITIALIZE)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].endswith(f'/.well-known/oauth-protected-resource{resource}"')
            told = await client.get(f"/.well-known/oauth-protected-resource{path}")
            assert told.json()["resource"] == f"https://mcp.example.com{resource}"


def test_a_message_of_sse_may_do_what_both_it_and_its_connection_may() -> None:
    connections, identifier = SseNarrowings(), "a" * 32
    connections._open[identifier] = Narrowing(read_only=True)
    own = Narrowing(toolsets=frozenset({"tenants"}))
    message = {"query_string": f"session_id={identifier}".encode(), NARROWING_KEY: own}
    assert connections.narrow_message(message)[NARROWING_KEY] == own & Narrowing(read_only=True)
    for unknown in ("b" * 32, "", "no id"):
        narrowed = connections.narrow_message({**message, "query_string": f"session_id={unknown}".encode()})
        assert narrowed[NARROWING_KEY] == EXCLUDE_ALL & own, "nothing is left"
