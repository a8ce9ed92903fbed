"""The results of calls are those of the SDK, though it does not make them, and so are its refusals."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.types import INVALID_PARAMS
from mcp_types.methods import serialize_server_result
from mcp_types.version import KNOWN_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from saasus_mcp.catalog import Catalogue
from saasus_mcp.store.store import Store
from tests.support.hosting_process import MODERN
from tests.support.stdio_client import Pipes, initialize, line, request, served

ROLES: dict[str, Any] = {"name": "auth_get_roles", "arguments": {}}
CALLS: tuple[dict[str, Any], ...] = (
    ROLES,
    {"name": "auth_get_roles"},
    {"name": "auth_get_roles", "arguments": {"name": "x"}},
    {"name": "time_now"},
    {"name": "no_such_tool", "arguments": None},
)
QUESTION: dict[str, Any] = {"name": "auth_delete_tenant", "arguments": {"tenant_id": "t-1"}}
MALFORMED: tuple[dict[str, Any], ...] = ({}, {"name": 1}, {"name": "auth_get_roles", "arguments": []})
ASKABLE = {**MODERN, "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}


async def _open(client: Pipes, version: str) -> dict[str, Any]:
    """Begin a conversation in a version, and return what each request has beside its own params."""
    if version in MODERN_PROTOCOL_VERSIONS:
        return {"_meta": ASKABLE}
    await client.send(initialize(version))
    await client.until("initialize")
    return {}


@pytest.mark.parametrize("version", KNOWN_PROTOCOL_VERSIONS)
async def test_a_result_is_complete_and_has_nothing_that_its_version_lacks(
    catalogue: Catalogue, store: Store, version: str
) -> None:
    calls = (*CALLS, *([QUESTION] if version in MODERN_PROTOCOL_VERSIONS else []))
    async with served(catalogue, store) as (client, _, _):
        meta = await _open(client, version)
        for number, params in enumerate(calls):
            told = await client.answer(line(request(number, "tools/call", **params, **meta)), number)
            assert serialize_server_result("tools/call", version, told["result"]) == told["result"]
            assert ("io.modelcontextprotocol/serverInfo" in told["result"]["_meta"]) == bool(meta)


@pytest.mark.parametrize("version", KNOWN_PROTOCOL_VERSIONS)
async def test_a_malformed_call_is_refused(catalogue: Catalogue, store: Store, version: str) -> None:
    async with served(catalogue, store) as (client, api, _):
        meta = await _open(client, version)
        for number, params in enumerate(MALFORMED):
            told = await client.answer(line(request(number, "tools/call", **params, **meta)), number)
            assert told["error"]["code"] == INVALID_PARAMS
    assert not api.sent


async def test_a_call_before_the_handshake_is_refused(catalogue: Catalogue, store: Store) -> None:
    async with served(catalogue, store) as (client, api, _):
        told = await client.answer(line(request(1, "tools/call", **ROLES)), 1)
    assert told["error"]["code"] == INVALID_PARAMS
    assert not api.sent


@pytest.mark.parametrize("version", KNOWN_PROTOCOL_VERSIONS)
async def test_a_notification_calls_nothing(catalogue: Catalogue, store: Store, version: str) -> None:
    async with served(catalogue, store) as (client, api, _):
        meta = await _open(client, version)
        await client.send(line({"jsonrpc": "2.0", "method": "tools/call", "params": {**ROLES, **meta}}))
        await client.answer(line(request(2, "tools/call", name="time_now", **meta)), 2)
    assert not api.sent
