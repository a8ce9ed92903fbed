"""One caller that sends more calls at once than it may have at the API is slowed by that limit and by nothing else."""

from __future__ import annotations

import anyio
import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.server.scheduling import processor_turns
from saasus_mcp.server.scheduling.fair_queue import FairQueue
from tests.support.hosting_server import build_server, connect_client
from tests.support.processes import TIMEOUT

CALLS, SHARE = 30, 3


class Yielding(httpx2.AsyncBaseTransport):
    """An API that lets others go on before it answers."""

    def __init__(self, behind: httpx2.AsyncBaseTransport) -> None:
        self._behind = behind

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        for _ in range(10):
            await anyio.lowlevel.checkpoint()
        return await self._behind.handle_async_request(request)


@pytest.mark.slow
async def test_calls_that_wait_for_the_api_hold_no_turn_of_those_that_have_their_answer(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor_turns, "TURN_SECONDS", 10 * TIMEOUT)
    made = build_server(catalogue, through=Yielding)
    for one in made.served.values():
        one.pipeline.call_queue = FairQueue(SHARE * 2, SHARE)
    failed: list[str] = []
    async with made.serve() as url, connect_client(url, "2026-07-28") as client:

        async def call() -> None:
            answer = await client.call_tool("auth_get_roles", {})
            if answer.is_error:
                failed.append(str(answer.content))

        with anyio.fail_after(TIMEOUT):
            async with anyio.create_task_group() as together:
                for _ in range(CALLS):
                    together.start_soon(call)
    assert failed == []
