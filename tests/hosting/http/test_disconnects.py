"""Clients that go away, and clients that come back with what is somebody else's: nothing is lost, nothing is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from saasus_mcp.catalog import Catalogue, Operation
from tests.support.arguments import complete_arguments
from tests.support.gate import target_answers
from tests.support.handshake_client import handshake_client
from tests.support.held_network import HeldNetwork
from tests.support.hosting_process import MODERN
from tests.support.hosting_server import (
    MCP,
    TRANSPORTS,
    HostingServer,
    StaticAuthenticator,
    Transport,
    build_caller,
    build_server,
    connect_client,
)


def held(catalogue: Catalogue, operation: str) -> tuple[HostingServer, HeldNetwork]:
    """Return a server whose API delays one operation."""
    network = HeldNetwork(catalogue, operation)
    return build_server(catalogue, through=network.wrap), network


async def left(url: str, way: Transport, operation: Operation, network: HeldNetwork) -> None:
    """Call a tool, and disconnect before the API answers."""
    async with connect_client(url, way) as client, anyio.create_task_group() as calling:
        calling.start_soon(client.call_tool, operation.tool, complete_arguments(operation))
        await network.arrived.wait()
        calling.cancel_scope.cancel()


async def until(said: Callable[[], bool]) -> None:
    with anyio.fail_after(30):
        while not said():  # noqa: ASYNC110 - the store tells nobody
            await anyio.sleep(0.01)


def ended(made: HostingServer) -> list[str]:
    store = made.served["default"].pipeline.store
    return [record["applied"] for record in store.audit_log.list_records() if record["event"] == "ended"]


@pytest.mark.parametrize("way", TRANSPORTS)
async def test_a_write_whose_client_goes_away_ends_with_its_audit(catalogue: Catalogue, way: Transport) -> None:
    made, network = held(catalogue, "auth.CreateRole")
    async with made.serve() as url:
        await left(url, way, catalogue.find("auth_create_role"), network)
        assert ended(made) == []
        network.leave.set()
        await until(lambda: bool(ended(made)))
    assert ended(made) == ["applied"]
    assert len(made.apis["default"].writes) == 1


@pytest.mark.parametrize("way", TRANSPORTS)
async def test_a_read_whose_client_goes_away_is_given_up(catalogue: Catalogue, way: Transport) -> None:
    made, network = held(catalogue, "auth.GetRoles")
    async with made.serve() as url:
        await left(url, way, catalogue.find("auth_get_roles"), network)
        await until(lambda: bool(ended(made)))
    assert ended(made) == ["not_applied"]
    assert made.apis["default"].sent == []


async def test_a_read_of_a_session_whose_connection_breaks_is_given_up(catalogue: Catalogue) -> None:
    made, network = held(catalogue, "auth.GetRoles")
    call = {"id": 1, "method": "tools/call", "params": {"name": "auth_get_roles", "arguments": {}}}
    async with made.serve() as url, handshake_client("alice-token") as client:
        await client.initialize(url)
        async with anyio.create_task_group() as calling:
            calling.start_soon(client.send, url, call)
            await network.arrived.wait()
            calling.cancel_scope.cancel()
        await until(lambda: bool(ended(made)))
    assert ended(made) == ["not_applied"]
    assert made.apis["default"].sent == []


async def test_the_state_of_a_question_is_useless_to_another_caller(catalogue: Catalogue) -> None:
    known = StaticAuthenticator({name: build_caller(name, "support") for name in ("alice", "bob")})
    made, operation = build_server(catalogue, known=known), catalogue.find("auth_delete_tenant_user")
    api = made.apis["default"]
    api.answers = target_answers(catalogue, operation)
    meta = {**MODERN, "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": operation.tool}
    params = {"name": operation.tool, "arguments": complete_arguments(operation), "_meta": meta}

    async with made.client(None, **headers) as client:

        async def call(name: str, **more: Any) -> dict[str, Any]:
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {**params, **more}}
            answer = await client.post("/mcp", json=body, headers={**MCP, "Authorization": f"Bearer {name}"})
            return dict(answer.json()["result"])

        asked = await call("alice")
        message = asked["inputRequests"]["confirm"]["params"]["message"]
        typed = message[message.rfind("“") + 1 : -1]
        content = {"name": typed} if "“" in message[-200:] else {"confirm": True}
        answered = {
            "requestState": asked["requestState"],
            "inputResponses": {"confirm": {"action": "accept", "content": content}},
        }
        assert (await call("bob", **answered))["isError"]
        assert api.writes == []
        assert not (await call("alice", **answered))["isError"]
        assert (await call("alice", **answered))["isError"], "once"
    assert len(api.writes) == 1
