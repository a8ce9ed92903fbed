"""What a small read costs on stdio, in Python function calls, which other work on the machine does not change."""

from __future__ import annotations

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.store.store import Store
from tests.support.function_calls import FunctionCalls
from tests.support.pipeline import StubApi
from tests.support.ready_api import ready_client
from tests.support.stdio_client import initialize, line, served
from tests.support.stdio_client import request as rpc

CALLS_OF_A_SMALL_READ = {"sqlite": 837, "postgresql": 1161}
"""Calls of the server and its client when this was written, by database."""


async def test_a_small_read_on_stdio_costs_no_more_than_it_did(
    catalogue: Catalogue, store: Store, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = CALLS_OF_A_SMALL_READ[request.node.callspec.params["store"]]
    api = ready_client(StubApi(catalogue), monkeypatch)
    async with served(catalogue, store, client=api) as (client, _, _):
        await client.send(initialize())
        counts: list[int] = []
        for number in range(1, 6):  # the first ones fill caches
            asked = line(rpc(number, "tools/call", name="auth_get_roles", arguments={}))
            with FunctionCalls() as counted:
                told = await client.answer(asked, number)
            counts.append(counted.number)
    assert not told["result"]["isError"]
    assert counts[-1] <= measured * 1.15, "if this is meant, write the new number down"
    assert counts[-1] >= measured / 2, "a much faster call: write the new number down"
