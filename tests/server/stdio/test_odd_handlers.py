"""The dispatcher alone: each request is answered whatever its handler does, and a cancellation ends the request that it names."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import anyio
import pytest
from mcp.shared.exceptions import MCPError

from saasus_mcp.server.stdio.dispatcher import INTERNAL
from tests.support.stdio_client import dispatched, line, request


class ExtensionPanic(BaseException):
    """What an extension module in Rust raises when it fails."""


@pytest.mark.parametrize(
    "error",
    [
        ExtensionPanic(),
        BaseExceptionGroup("of a task group", [ExtensionPanic()]),
        asyncio.CancelledError(),  # of a future that another task cancelled
        ValueError(),
        MCPError(-32000, "half of a character: \ud83d"),
        MCPError(-32000, "no JSON", {"data": object()}),
    ],
    ids=["a panic", "a group", "a cancelled future", "an error", "a text", "data"],
)
async def test_a_request_is_answered_whatever_its_handler_raises(error: BaseException) -> None:
    async def fail(_: object, method: str, __: Mapping[str, Any] | None) -> dict[str, Any]:
        if method == "fail":
            raise error
        return {}

    async with dispatched(fail) as client:
        assert (await client.answer(line(request(1, "fail")), 1))["error"] == INTERNAL.model_dump(exclude_unset=True)
        assert (await client.answer(line(request(2, "ping")), 2))["result"] == {}


@pytest.mark.parametrize("cancelled", [1, "1"], ids=["number", "text"])
async def test_a_number_and_the_same_digits_as_text_are_two_ids(cancelled: int | str) -> None:
    leave = anyio.Event()

    async def wait(*_: object) -> dict[str, Any]:
        await leave.wait()
        return {}

    async with dispatched(wait) as client:
        await client.send(line(request(1, "wait")) + line(request("1", "wait")))
        await client.send(
            line({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": cancelled}})
        )
        await anyio.wait_all_tasks_blocked()
        leave.set()
        answered = await client.next()
    assert [answered["id"]] == [each for each in (1, "1") if each is not cancelled]
