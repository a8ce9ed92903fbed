"""Requests of 2026-07-28 on one connection: each is answered as its own envelope says, whichever others are in progress."""

from __future__ import annotations

from typing import Any

from saasus_mcp.catalog import Catalogue
from saasus_mcp.store.store import Store
from tests.support.arguments import complete_arguments
from tests.support.gate import target_answers
from tests.support.stdio_client import line, request, served

CAPABILITIES: tuple[dict[str, Any], ...] = ({"elicitation": {"form": {}}}, {})


async def test_a_request_is_answered_for_its_own_envelope(catalogue: Catalogue, store: Store) -> None:
    operation = catalogue.find("auth_delete_tenant_user")
    called = {"name": operation.tool, "arguments": complete_arguments(operation)}

    def call(number: int) -> bytes:
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": CAPABILITIES[number % 2],
        }
        return line(request(number, "tools/call", **called, _meta=meta))

    async with served(catalogue, store) as (client, api, _):
        api.answers = target_answers(catalogue, operation)
        await client.send(b"".join(call(number) for number in range(6)))
        heard = {each["id"]: each for each in [await client.next() for _ in range(6)]}
    asked = {number: "inputRequests" in answer["result"] for number, answer in heard.items()}
    assert asked == {number: number % 2 == 0 for number in range(6)}
