"""A client that reads late, while calls that want to write to it are cancelled."""

from __future__ import annotations

import json
import os
from functools import partial

import anyio
import anyio.lowlevel
import pytest
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCNotification

from saasus_mcp.server.stdio.message_stream import WAITING_MESSAGES, MessageStream, ServerMessages
from saasus_mcp.server.stdio.pipe_transport import PipeTransport

PIPE_BYTES = 64 * 1024


def notification(writer: str, number: int, size: int = 0) -> SessionMessage:
    params = {"writer": writer, "number": number, "text": "x" * size}
    return SessionMessage(JSONRPCNotification(jsonrpc="2.0", method="notifications/test", params=params))


async def write_until_cancelled(messages: ServerMessages, name: str) -> None:
    for number in range(1_000):
        await messages.send(notification(name, number, PIPE_BYTES // 4))


@pytest.mark.parametrize("steps", range(6))
async def test_cancelled_calls_leave_whole_lines_in_order(steps: int) -> None:
    """The calls are cancelled some steps of the loop after the client has read, when their lines are perhaps taken and perhaps not."""
    (input_end, client_writing), (client_reading, output_end) = os.pipe(), os.pipe()
    stream = MessageStream(PipeTransport(input_end, output_end))
    heard = b""
    try:
        with anyio.fail_after(30):
            async with stream.streams() as (_, messages):
                for turn in range(8):
                    async with anyio.create_task_group() as calls:
                        for call in range(WAITING_MESSAGES + 8):
                            calls.start_soon(partial(write_until_cancelled, messages, f"{turn}.{call}"))
                        await anyio.wait_all_tasks_blocked()
                        heard += os.read(client_reading, PIPE_BYTES)
                        for _ in range(steps):
                            await anyio.lowlevel.checkpoint()
                        calls.cancel_scope.cancel()
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(messages.send, notification("last", 0))
                    while b'"last"' not in heard:
                        await anyio.wait_readable(client_reading)
                        heard += os.read(client_reading, PIPE_BYTES)
                await messages.aclose()
    finally:
        for end in (input_end, client_writing, client_reading, output_end):
            os.close(end)
    numbers: dict[str, list[int]] = {}
    for each in heard.splitlines():
        params = json.loads(each)["params"]
        numbers.setdefault(params["writer"], []).append(params["number"])
    assert len(numbers) > WAITING_MESSAGES
    assert all(written == list(range(len(written))) for written in numbers.values())
