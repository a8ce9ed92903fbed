"""A short read is answered as the SDK's own entry answers it, whatever its form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.hosting.http.short_reads import ShortReads
from tests.support.asgi_client import post
from tests.support.hosting_process import MODERN
from tests.support.hosting_server import MCP, HostingServer, build_server

PREFIX = "io.modelcontextprotocol/"
ROUTING = {"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "auth_get_tenant"}
USUAL = {**MCP, **ROUTING, "Host": "mcp.example.com", "Authorization": "Bearer alice-token"}
VARYING = (b"content-length", b"x-request-id")
CALL: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 7,
    "method": "tools/call",
    "params": {"name": "auth_get_tenant", "arguments": {"tenant_id": "t-1"}, "_meta": MODERN},
}


def params(**changed: Any) -> dict[str, Any]:
    return {**CALL, "params": {**CALL["params"], **changed}}


def meta(**changed: Any) -> dict[str, Any]:
    return params(_meta={**MODERN, **{PREFIX + name: value for name, value in changed.items()}})


BODIES: dict[str, Any] = {
    "usual": CALL,
    "another field": {**CALL, "other": 1},
    "a text as id": {**CALL, "id": "a"},
    "an id that is not ASCII": {**CALL, "id": "é"},
    "a lone surrogate as id": {**CALL, "id": "\ud800"},
    "a long number as id": {**CALL, "id": 10**40},
    "a fraction as id": {**CALL, "id": 1.5},
    "a truth value as id": {**CALL, "id": True},
    "null as id": {**CALL, "id": None},
    "no id": {name: value for name, value in CALL.items() if name != "id"},
    "no version": {name: value for name, value in CALL.items() if name != "jsonrpc"},
    "another version": {**CALL, "jsonrpc": "1.0"},
    "another method": {**CALL, "method": "tools/list"},
    "no params": {**CALL, "params": None},
    "no arguments": params(arguments=None),
    "arguments as a list": params(arguments=[1]),
    "a wrong argument": params(arguments={"tenant": "t-1"}),
    "a lone surrogate": params(arguments={"tenant_id": "\ud800"}),
    "an argument that no number is": params(arguments={"tenant_id": float("nan")}),
    "another name": params(name="auth_get_roles"),
    "a number as name": params(name=1),
    "no meta": params(_meta=None),
    "an empty meta": params(_meta={}),
    "another protocol": meta(protocolVersion="2025-11-25"),
    "an unknown protocol": meta(protocolVersion="2099-01-01"),
    "a number as protocol": meta(protocolVersion=1),
    "no client": params(_meta={name: value for name, value in MODERN.items() if not name.endswith("clientInfo")}),
    "a client without a name": meta(clientInfo={}),
    "a client that is null": meta(clientInfo=None),
    "capabilities as a list": meta(clientCapabilities=[]),
    "unknown capabilities": meta(clientCapabilities={"other": {}}),
    "a level of logs": meta(logLevel="debug"),
    "an unknown level of logs": meta(logLevel="loud"),
    "a reason": meta() | {"params": {**CALL["params"], "_meta": {**MODERN, "saasus.io/reason": 1}}},
    "a list": [CALL],
    "a number": 1,
    "null": None,
}
REQUESTS: dict[str, dict[str, str]] = {
    "no type": {"Content-Type": ""},
    "another type": {"Content-Type": "text/plain"},
    "a type with a charset": {"Content-Type": "Application/JSON; charset=utf-8"},
    "JSON alone": {"Accept": "application/json"},
    "a stream alone": {"Accept": "text/event-stream"},
    "anything": {"Accept": "*/*"},
    "any application": {"Accept": "application/*, text/*"},
    "a preference": {"Accept": "application/json;q=0.5, text/event-stream"},
    "nothing": {"Accept": ""},
    "another method": {"Mcp-Method": "tools/list"},
    "another name": {"Mcp-Name": "auth_get_roles"},
    "an encoded name": {"Mcp-Name": "=?base64?YXV0aF9nZXRfdGVuYW50?="},
    "another protocol": {"Mcp-Protocol-Version": "2099-01-01"},
    "a parameter": {"Mcp-Param-Region": "x"},
}


async def _ask(server: HostingServer, headers: dict[str, str], content: bytes, *more: tuple[str, str]) -> Any:
    """Return status, headers and body of the answer, without what differs between two calls."""
    given = {**USUAL, **headers, "Content-Length": str(len(content))}
    async with server.client():
        start, *parts = await post(
            server.app, [*((name, value) for name, value in given.items() if value), *more], content
        )
    told = b"".join(each["body"] for each in parts)
    kept = {name: value for name, value in start["headers"] if name not in VARYING}
    return start["status"], kept, _without_trace(json.loads(told) if told.startswith(b"{") else told)


def _without_trace(body: Any) -> Any:
    found = body["result"]["_meta"].pop("saasus.io/trace_id", "") if isinstance(body, dict) and "result" in body else ""
    return json.loads(json.dumps(body).replace(found, "")) if found else body


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        *((headers, json.dumps(CALL).encode()) for headers in REQUESTS.values()),
        *(({}, json.dumps(body).encode()) for body in BODIES.values()),
        *(({}, content) for content in (b"", b"{", b"\xff", json.dumps(CALL).encode("utf-16"))),
    ],
    ids=[*(f"header: {each}" for each in REQUESTS), *BODIES, "empty", "half", "not UTF-8", "UTF-16"],
)
async def test_the_answer_is_that_of_the_sdk(
    catalogue: Catalogue, headers: dict[str, str], content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = await _ask(build_server(catalogue), headers, content)
    monkeypatch.setattr(ShortReads, "recognize", lambda *_: None)
    assert ours == await _ask(build_server(catalogue), headers, content)


@pytest.mark.parametrize("name", [*ROUTING, "Accept", "Other"])
async def test_a_header_twice_is_judged_by_the_sdk(
    catalogue: Catalogue, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice, content = (name, USUAL.get(name, "x")), json.dumps(CALL).encode()
    ours = await _ask(build_server(catalogue), {"Other": "x"}, content, twice)
    monkeypatch.setattr(ShortReads, "recognize", lambda *_: None)
    assert ours == await _ask(build_server(catalogue), {"Other": "x"}, content, twice)


async def test_a_usual_read_is_recognized(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    answered, answer = list[int](), ShortReads.answer

    async def counted(self: ShortReads, *given: Any) -> None:
        answered.append(1)
        await answer(self, *given)

    monkeypatch.setattr(ShortReads, "answer", counted)
    status, _, body = await _ask(build_server(catalogue), {}, json.dumps(CALL).encode())
    assert (status, body["id"], body["result"]["isError"]) == (200, 7, False)
    assert answered


def test_no_argument_of_a_read_is_bound_to_a_header(catalogue: Catalogue) -> None:
    """Such headers are compared by the SDK's entry alone."""
    assert not [each.tool for each in catalogue if "x-mcp-header" in json.dumps(each.input_schema)]
