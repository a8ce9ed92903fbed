"""A client that reads late, while calls that want to write to it are cancelled."""

from __future__ import annotations

import json
import os
from functools import partial

import anyio
import anyio.lowlevel
import pytest

from saasus_mcp.server.stdio.line_writer import WAITING_LINES, LineWriter
from saasus_mcp.server.stdio.pipe_transport import PipeTransport
from tests.support.stdio_client import line

PIPE_BYTES = 64 * 1024


def numbered(name: str, number: int, size: int = 0) -> bytes:
    return line({"writer": name, "number": number, "text": "x" * size})


async def write_until_cancelled(writer: LineWriter, name: str) -> None:
    for number in range(1_000):
        await writer.write(numbered(name, number, PIPE_BYTES // 4))


@pytest.mark.parametrize("steps", range(6))
async def test_cancelled_calls_leave_whole_lines_in_order(steps: int) -> None:
    """The calls are cancelled some steps of the loop after the client has read, when their lines are perhaps taken and perhaps not."""
    (input_end, client_writing), (client_reading, output_end) = os.pipe(), os.pipe()
    transport = PipeTransport(input_end, output_end)
    writer = LineWriter(transport.write_now, transport.write)
    heard = b""
    try:
        with anyio.fail_after(30):
            async with anyio.create_task_group() as writing:
                await writing.start(writer.write_waiting)
                for turn in range(8):
                    async with anyio.create_task_group() as calls:
                        for call in range(WAITING_LINES + 8):
                            calls.start_soon(partial(write_until_cancelled, writer, f"{turn}.{call}"))
                        await anyio.wait_all_tasks_blocked()
                        heard += os.read(client_reading, PIPE_BYTES)
                        for _ in range(steps):
                            await anyio.lowlevel.checkpoint()
                        calls.cancel_scope.cancel()
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(writer.write, numbered("last", 0))
                    while b'"last"' not in heard:
                        await anyio.wait_readable(client_reading)
                        heard += os.read(client_reading, PIPE_BYTES)
                writer.close()
    finally:
        for end in (input_end, client_writing, client_reading, output_end):
            os.close(end)
    numbers: dict[str, list[int]] = {}
    for each in heard.splitlines():
        told = json.loads(each)
        numbers.setdefault(told["writer"], []).append(told["number"])
    assert len(numbers) > WAITING_LINES
    assert all(written == list(range(len(written))) for written in numbers.values())
