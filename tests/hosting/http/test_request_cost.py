"""What a call over HTTP costs, in Python function calls, from the server's interface to the app and back."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from starlette.types import ASGIApp, Message

from saasus_mcp.catalog import Catalogue
from scripts.speed.stub import body
from tests.support.asgi_client import post
from tests.support.function_calls import FunctionCalls
from tests.support.hosting_process import MODERN
from tests.support.hosting_server import INITIALIZE, HostingServer, build_server
from tests.support.pipeline import ERAS

TOLERANCE = 1.1
MEASURED = {"legacy": 1157, "2026-07-28": 1059}
"""Function calls of a small read when this was written, with those of the pipeline."""
Headers = dict[str, str]


async def ask(app: ASGIApp, headers: Headers, content: dict[str, Any]) -> list[Message]:
    """Send a request as the HTTP server does, and return the parts of its response."""
    body = json.dumps(content).encode()
    given = {
        "host": "mcp.example.com",
        "content-type": "application/json",
        "authorization": "Bearer alice-token",
        **headers,
    }
    given |= {"accept": "application/json, text/event-stream", "content-length": str(len(body))}
    return await post(app, given.items(), body)


async def prepare(server: HostingServer, era: str) -> tuple[Headers, dict[str, Any]]:
    """Return the headers and the body of a small read."""
    params: dict[str, Any] = {"name": "auth_get_roles", "arguments": {}}
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}
    if era == "2026-07-28":
        params["_meta"] = MODERN
        return {"mcp-protocol-version": era, "mcp-method": "tools/call", "mcp-name": "auth_get_roles"}, call
    [start, *_] = await ask(server.app, {}, INITIALIZE)
    session = dict(start["headers"])[b"mcp-session-id"].decode()
    return {"mcp-protocol-version": "2025-11-25", "mcp-session-id": session}, call


@pytest.mark.parametrize("era", ERAS)
async def test_a_small_read_over_http_costs_no_more_than_it_did(catalogue: Catalogue, era: str) -> None:
    server = build_server(catalogue)
    server.apis["default"].answers["auth.GetRoles"] = _answer
    calls: list[int] = []
    async with server.client():
        headers, content = await prepare(server, era)
        for _ in range(4):  # the first ones fill caches
            with FunctionCalls() as counted:
                start, *parts = await ask(server.app, headers, content)
            calls.append(counted.number)
    assert start["status"] == 200
    assert b"admin" in b"".join(each.get("body", b"") for each in parts)
    least = min(calls)  # once in a second, a session is looked for among those that have ended
    assert least <= MEASURED[era] * TOLERANCE, "if this is meant, write the new number down"
    assert least >= MEASURED[era] / 2, "a much faster call: write the new number down, so that it stays as fast"


def _answer(request: httpx2.Request) -> httpx2.Response:
    headers = {"Content-Type": "application/json"}
    return httpx2.Response(200, headers=headers, content=body(request.url.raw_path))
