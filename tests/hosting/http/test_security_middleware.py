"""What a request meets before it is one of MCP: names, origins, sizes, tokens, roles and scopes."""

from __future__ import annotations

import gzip
import json
import time
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.messages import message
from saasus_mcp.hosting.auth.authentication import AuthenticatorChain
from saasus_mcp.hosting.http import mcp_transports
from tests.support.hosting_server import (
    INITIALIZE,
    MCP,
    OWNER_ROLE,
    PUBLIC,
    StaticAuthenticator,
    build_caller,
    build_server,
    error_message,
    open_socket,
    provider_table,
)
from tests.support.jwt_issuer import ISSUER, JwtIssuer

PATHS = ("/mcp", "/mcp/", "/mcp/default", "/mcp/nowhere", "/sse", "/sse/default", "/messages/default/")


# -- tokens ----------------------------------------------------------------------------------------------------------

AUTHORIZATION: dict[str, list[tuple[str, str]]] = {
    "none": [],
    "of another kind": [("Authorization", "Basic YWxpY2UtdG9rZW4=")],
    "empty": [("Authorization", "Bearer ")],
    "a word without a token": [("Authorization", "Bearer")],
    "the token alone": [("Authorization", "alice-token")],
    "another token": [("Authorization", "Bearer bob-token")],
    "two words": [("Authorization", "Bearer alice-token alice-token")],
    "with a comma": [("Authorization", "Bearer alice-token, Bearer alice-token")],
    "twice": [("Authorization", "Bearer alice-token"), ("Authorization", "Bearer alice-token")],
    "a token of ten kilobytes": [("Authorization", "Bearer " + "x" * 10_000)],
    "in the query": [("X-Query", "access_token=alice-token")],
    "in a cookie": [("Cookie", "token=alice-token")],
}


@pytest.mark.parametrize("given", AUTHORIZATION.values(), ids=AUTHORIZATION)
async def test_nobody_is_let_in_with_a_token(catalogue: Catalogue, given: list[tuple[str, str]]) -> None:
    made = build_server(catalogue, jwt=provider_table(scopes=["mcp:tools"]))
    async with made.client(None) as client:
        for path in PATHS:
            query = {"access_token": "alice-token"} if given and given[0][0] == "X-Query" else {}
            headers = [*MCP.items(), *given]
            answer = await client.request("POST", path, headers=headers, params=query, json=INITIALIZE)
            assert answer.status_code == 401, path
            told = answer.headers["WWW-Authenticate"]
            resource = path.rstrip("/").replace("/messages/", "/sse/")
            assert f'resource_metadata="{PUBLIC}/.well-known/oauth-protected-resource{resource}"' in told
            assert 'scope="mcp:tools"' in told
            assert ('error="invalid_token"' in told) is bool(given and given[0][0] == "Authorization")
            assert answer.json()["error"] == "invalid_token"


async def test_where_there_is_no_provider_no_client_is_sent_to_look_for_one(catalogue: Catalogue) -> None:
    async with build_server(catalogue).client(None) as client:
        answer = await client.post("/mcp", json=INITIALIZE)
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="SaaSus MCP"'
        assert (await client.get("/.well-known/oauth-protected-resource/mcp")).status_code == 404


@pytest.mark.parametrize("path", ["/mcp", "/mcp/default", "/mcp/nowhere", "/sse", "/sse/default"])
async def test_the_metadata_of_each_resource_is_there_for_anybody(catalogue: Catalogue, path: str) -> None:
    made = build_server(catalogue, jwt=provider_table(scopes=["mcp:tools"]))
    async with made.client(None) as client:
        answer = await client.get(f"/.well-known/oauth-protected-resource{path}")
    assert answer.json() == {
        "resource": PUBLIC + path,
        "authorization_servers": [ISSUER],
        "bearer_methods_supported": ["header"],
        "resource_name": "SaaSus MCP",
        "scopes_supported": ["mcp:tools"],
    }


async def test_other_paths_refer_clients_to_the_mcp_resource(catalogue: Catalogue) -> None:
    async with build_server(catalogue, jwt=provider_table()).client(None) as client:
        told = (await client.get("/metrics")).headers["WWW-Authenticate"]
    assert told.endswith(f'resource_metadata="{PUBLIC}/.well-known/oauth-protected-resource/mcp"')


async def test_a_path_that_would_break_a_header_does_not(catalogue: Catalogue) -> None:
    async with build_server(catalogue, jwt=provider_table()).client(None) as client:
        broken = await client.post("/mcp/x%0d%0aSet-Cookie: a=b", json=INITIALIZE)
        quoted = await client.post('/mcp/x", realm="y', json=INITIALIZE)
    assert broken.status_code == 404
    assert "Set-Cookie" not in broken.headers
    assert quoted.status_code == 401
    assert quoted.headers["WWW-Authenticate"].endswith('/mcp/x%22%2C%20realm%3D%22y"')


NOT_BELIEVED = {
    "another issuer": {"iss": "https://login.example.com/realms/other"},
    "another audience": {"aud": "https://api.example.com"},
    "expired": {"exp": time.time() - 60},
    "a shared secret": {"algorithm": "HS256", "key": "a secret of thirty-two characters"},
    "no signature": {"algorithm": "none", "key": ""},
}


@pytest.mark.parametrize("claims", NOT_BELIEVED.values(), ids=NOT_BELIEVED)
async def test_a_providers_token_is_refused_on_every_path(catalogue: Catalogue, claims: dict[str, Any]) -> None:
    provider = JwtIssuer()
    made = build_server(catalogue, known=provider.callers(), jwt=provider_table())
    async with made.client(provider.token(**claims)) as client:
        for path in PATHS:
            method = "GET" if path.startswith("/sse") else "POST"
            answer = await client.request(method, path, json=INITIALIZE)
            assert answer.status_code == 401, path
            assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


async def test_a_missing_scope_is_named(catalogue: Catalogue) -> None:
    provider = JwtIssuer()
    made = build_server(
        catalogue, known=provider.callers(scopes=["mcp:tools"]), jwt=provider_table(scopes=["mcp:tools"])
    )
    async with made.client(provider.token(scope="profile")) as client:
        answer = await client.post("/mcp", json=INITIALIZE)
        enough = {"Authorization": f"Bearer {provider.token(scope='mcp:tools')}"}
        assert (await client.post("/mcp", json=INITIALIZE, headers=enough)).status_code == 200
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    assert 'scope="mcp:tools"' in answer.headers["WWW-Authenticate"]
    assert "mcp:tools" in error_message(answer)


@pytest.mark.parametrize("path", PATHS)
async def test_an_approvers_token_opens_no_path_of_mcp(catalogue: Catalogue, path: str) -> None:
    known = StaticAuthenticator({"approver-token": build_caller("boss", role="approver")})
    async with build_server(catalogue, known=known).client("approver-token") as client:
        answer = await client.post(path, json=INITIALIZE)
    assert answer.status_code == 403
    assert "approver token" in error_message(answer)
    assert "console" in error_message(answer)


async def test_of_several_who_know_tokens_the_first_that_believes_one_says_whom_it_names() -> None:
    first, second = (
        StaticAuthenticator({"one": build_caller("a")}),
        StaticAuthenticator({"one": build_caller("b"), "two": build_caller("c")}),
    )
    chain = AuthenticatorChain(first, second)
    assert await chain.authenticate("one") == build_caller("a")
    assert await chain.authenticate("two") == build_caller("c")
    assert await chain.authenticate("three") is None


async def test_behind_the_door_there_is_no_token_any_more(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    async def handle(_: object, kind: str, scope: Any, receive: object, send: Any) -> None:
        seen.append({**scope, "app": None, "router": None, "endpoint": None})
        await JSONResponse(kind)(scope, receive, send)  # type: ignore[arg-type]

    monkeypatch.setattr(mcp_transports.ProfileTransports, "handle_request", handle)
    async with build_server(catalogue).client() as client:
        for path in ("/mcp", "/mcp/default", "/sse", "/messages/default/"):
            assert (await client.request("GET" if path == "/sse" else "POST", path)).status_code == 200
    assert len(seen) == 4
    assert "alice-token" not in repr(seen)
    assert all(scope["user"].access_token.token == "" for scope in seen)


# -- without authentication ------------------------------------------------------------------------------------------


async def test_on_a_private_server_everybody_is_its_owner(catalogue: Catalogue) -> None:
    async with build_server(catalogue, {"default": ()}, known=OWNER_ROLE).client(None) as client:
        assert (await client.post("/mcp", json=INITIALIZE)).status_code == 200


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP"])
async def test_a_private_server_takes_nothing_from_a_proxy(catalogue: Catalogue, header: str) -> None:
    async with build_server(catalogue, known=OWNER_ROLE).client(None) as client:
        for path in ("/mcp", "/mcp/default", "/sse", "/messages/default/", "/metrics"):
            answer = await client.post(path, json=INITIALIZE, headers={header: "203.0.113.7"})
            assert answer.status_code == 403, path
            assert "SAASUS_MCP_PUBLIC_URL" in error_message(answer)


# -- names and origins -----------------------------------------------------------------------------------------------

HOSTS = {
    "mcp.example.com": True,
    "MCP.example.com:443": True,
    "mcp.example.com:8443": True,
    "localhost:8000": True,
    "127.0.0.1": True,
    "[::1]:8000": True,
    "internal.example.com": True,
    "evil.example.com": False,
    "mcp.example.com.evil.com": False,
    "evil.com@mcp.example.com": False,
    "mcp.example.com:443@evil.com": False,
    "mcp.example.com evil.com": False,
    "127.0.0.1.evil.com": False,
    "0.0.0.0": False,  # noqa: S104 - as a Host header
    "": False,
}


@pytest.mark.parametrize(("host", "let_in"), HOSTS.items(), ids=[host or "empty" for host in HOSTS])
async def test_only_names_of_the_server_are_answered(catalogue: Catalogue, host: str, let_in: bool) -> None:
    made = build_server(catalogue, allowed_hosts=["internal.example.com"])
    async with made.client(Host=host) as client:
        for path in ("/mcp", "/metrics", "/console", "/"):
            assert ((await client.get(path)).status_code != 421) is let_in
        assert (await client.get("/healthz")).status_code == 200, "a probe knows the address only"


async def test_a_request_that_names_two_hosts_is_refused(catalogue: Catalogue) -> None:
    async with build_server(catalogue).client() as client:
        headers = [*MCP.items(), ("Host", "mcp.example.com"), ("Host", "evil.example.com")]
        assert (await client.get("/mcp", headers=headers)).status_code == 421


ORIGINS = {
    PUBLIC: True,
    PUBLIC.upper(): True,
    "https://app.example.com": True,
    "http://localhost:6274": True,
    "http://127.0.0.1": True,
    "http://[::1]:3000": True,
    "http://mcp.example.com": False,
    "https://mcp.example.com.evil.com": False,
    "https://evil.example.com": False,
    "http://localhost.evil.com": False,
    "http://localhost:80evil": False,
    "https://localhost:6274": False,
    "null": False,
    "": False,
}


@pytest.mark.parametrize(("origin", "let_in"), ORIGINS.items(), ids=[origin or "empty" for origin in ORIGINS])
async def test_only_pages_of_known_origins_are_answered(catalogue: Catalogue, origin: str, let_in: bool) -> None:
    made = build_server(catalogue, allowed_origins=["https://app.example.com"])
    async with made.client(Origin=origin) as client:
        answer = await client.post("/mcp", json=INITIALIZE)
        preflight = await client.options(
            "/mcp", headers={"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "mcp-name"}
        )
    assert answer.status_code == (200 if let_in else 403)
    if let_in and origin == origin.lower():
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert "Mcp-Session-Id" in answer.headers["Access-Control-Expose-Headers"]
        assert (preflight.status_code, preflight.headers["Access-Control-Allow-Headers"]) == (200, "mcp-name")
    assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_a_request_that_says_twice_how_long_it_is_is_the_connections_last(catalogue: Catalogue) -> None:
    head = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    async with build_server(catalogue).serve() as url, await open_socket(url) as stream:
        await stream.send(head + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answers = b"".join([piece async for piece in stream])
    assert answers.startswith(b"HTTP/1.1 400 ")
    assert answers.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("path", ["/mcp", "/messages/?session_id=0", "/console/enter"])
@pytest.mark.parametrize(("encoding", "refused"), [("gzip", True), ("br, gzip", True), ("Identity", False)])
async def test_an_encoded_body_is_refused_by_what_it_is(
    catalogue: Catalogue, path: str, encoding: str, refused: bool
) -> None:
    body = gzip.compress(json.dumps(INITIALIZE).encode()) if refused else json.dumps(INITIALIZE).encode()
    async with build_server(catalogue).client() as client:
        answer = await client.post(path, content=body, headers={"Content-Encoding": encoding})
    assert (answer.status_code == 415) is refused
    if refused:
        assert answer.headers["Accept-Encoding"] == "identity"
        assert answer.json()["error"]["message"] == message("hosting.encoded_body").text("en")


async def test_every_answer_has_the_headers_that_browsers_obey(catalogue: Catalogue) -> None:
    async with build_server(catalogue).client() as client:
        answers = [await client.get(path) for path in ("/healthz", "/mcp/nowhere", "/nowhere")]
        answers.append(await client.get("/mcp", headers={"Host": "evil.com"}))
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=")


async def test_further_routes_are_served_with_headers_of_their_own(catalogue: Catalogue) -> None:
    async def page(request: Request) -> JSONResponse:
        return JSONResponse(request.url.path, headers={"Content-Security-Policy": "default-src 'self'"})

    async with build_server(catalogue, extra=[Route("/console", page)]).client(None) as client:
        answer = await client.get("/console")
    assert (answer.json(), answer.headers["Content-Security-Policy"]) == ("/console", "default-src 'self'")


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/mcp", "/.well-known/oauth-protected-resource/mcp"])
@pytest.mark.parametrize("added", ["%0a", "%0d", "%00", "%7f"])
async def test_a_path_with_a_control_character_is_not_that_of_a_route(
    catalogue: Catalogue, path: str, added: str
) -> None:
    async with build_server(catalogue, jwt=provider_table()).client(None) as client:
        assert (await client.get(path)).status_code != 404
        assert (await client.get(path + added)).status_code == 404
