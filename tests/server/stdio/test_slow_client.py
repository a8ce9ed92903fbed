"""A client that reads late or never: lines stay whole, what waits for it is bounded, and the server ends with its input."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from saasus_mcp.server.stdio import line_writer, pipe_transport, thread_transport
from saasus_mcp.server.stdio.dispatcher import StdioDispatcher
from saasus_mcp.server.stdio.line_splitter import LineSplitter
from saasus_mcp.server.stdio.line_writer import LineWriter
from saasus_mcp.server.stdio.pipe_transport import CHUNK_BYTES, PipeTransport
from saasus_mcp.server.stdio.thread_transport import ThreadTransport
from tests.support.stdio_client import PATIENCE, MakeWire, dispatched, ignore, line, request

PIPE_BYTES = 64 * 1024
LIMIT = 4 * PIPE_BYTES
"""In these tests, bytes that may wait for the client."""

WRITERS = 16
REQUESTS = 200
"""Requests whose answers are far more than may wait. All of them fit into the pipe to the server."""


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_writer, "MAX_UNREAD_BYTES", LIMIT)
    monkeypatch.setattr(line_writer, "FINAL_WRITE_SECONDS", 0.05)


def numbered(name: str, number: int, size: int = 0) -> bytes:
    return line({"writer": name, "number": number, "text": "x" * size})


async def write_until_cancelled(writer: LineWriter, name: str) -> None:
    for number in range(1_000):
        await writer.wait_for_room()
        writer.put(numbered(name, number, PIPE_BYTES // 4))


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
                writing.start_soon(writer.write_waiting)
                for turn in range(8):
                    async with anyio.create_task_group() as calls:
                        for call in range(WRITERS):
                            calls.start_soon(partial(write_until_cancelled, writer, f"{turn}.{call}"))
                        await anyio.wait_all_tasks_blocked()
                        heard += os.read(client_reading, PIPE_BYTES)
                        for _ in range(steps):
                            await anyio.lowlevel.checkpoint()
                        calls.cancel_scope.cancel()
                writer.put(numbered("last", 0))
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
    assert len(numbers) > WRITERS // 4
    assert all(written == list(range(len(written))) for written in numbers.values())


async def test_lines_of_one_turn_are_written_together_and_none_is_lost_at_the_end() -> None:
    written: list[bytes] = []

    def write_now(data: bytes) -> bytes:
        written.append(data)
        return b""

    async def write_all(data: bytes) -> None:
        written.append(data)

    writer, lines = LineWriter(write_now, write_all), [numbered("of a turn", number) for number in range(4)]
    writer.put_soon(lines[0])
    writer.put_soon(lines[1])
    assert not written
    await anyio.lowlevel.checkpoint()
    assert written == [lines[0] + lines[1]]
    writer.put_soon(lines[2])
    writer.put(lines[3])
    assert written[1:] == [lines[2] + lines[3]], "the order of lines"
    writer.put_soon(lines[0])
    writer.close()
    await writer.write_waiting()
    await anyio.lowlevel.checkpoint()
    assert written[2:] == [lines[0]]


async def test_answers_that_are_ready_together_take_few_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A write wakes the client up, which takes longer than to make most answers."""
    count = 0
    write = PipeTransport.write_now

    def counted(wire: PipeTransport, data: bytes | memoryview) -> memoryview:
        nonlocal count
        count += 1
        return write(wire, data)

    async def answer(*_: object) -> dict[str, Any]:
        return {}

    monkeypatch.setattr(PipeTransport, "write_now", counted)
    async with dispatched(answer) as client:
        await client.send(b"".join(line(request(number, "read")) for number in range(WRITERS)))
        heard = await client.until(WRITERS - 1)
    assert [each["id"] for each in heard] == list(range(WRITERS))
    assert count <= WRITERS / 2


class Handler:
    """Answers each request with as much as a pipe holds, and counts them."""

    def __init__(self) -> None:
        self.requests = 0

    async def __call__(self, _: object, __: str, ___: Mapping[str, Any] | None) -> dict[str, Any]:
        self.requests += 1
        return {"text": "x" * PIPE_BYTES}


@pytest.mark.parametrize("make", [PipeTransport, ThreadTransport])
async def test_further_requests_wait_while_many_answers_are_unread(make: MakeWire) -> None:
    handler = Handler()
    async with dispatched(handler, make) as client:
        await client.send(b"".join(line(request(number, "read")) for number in range(REQUESTS)))
        await client.next()
        await anyio.wait_all_tasks_blocked()
        assert handler.requests < REQUESTS // 2
        heard = await client.until(REQUESTS - 1)
    assert [each["id"] for each in heard] == list(range(1, REQUESTS))


@pytest.mark.parametrize("make", [PipeTransport, ThreadTransport])
@pytest.mark.parametrize("requests", [2, REQUESTS], ids=["few answers", "more than may wait"])
async def test_the_end_of_input_ends_the_server_although_its_client_reads_nothing(
    make: MakeWire, requests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_writer, "STALLED_SECONDS", 0.05)
    async with dispatched(Handler(), make) as client:
        await client.send(b"".join(line(request(number, "read")) for number in range(requests)))


@pytest.mark.parametrize("make", [PipeTransport, ThreadTransport])
async def test_a_client_that_takes_nothing_for_long_ends_the_server_although_it_sends_nothing(
    make: MakeWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise, a client that comes back waits for answers that are not written any more."""
    requests, every, handler = 2 * LIMIT // PIPE_BYTES, anyio.Event(), Handler()

    async def answer_together(*given: Any) -> dict[str, Any]:
        """Answer when all requests are read, so that the server waits for more."""
        told = await handler(*given)
        if handler.requests == requests:
            every.set()
        await every.wait()
        return told

    monkeypatch.setattr(line_writer, "STALLED_SECONDS", 0.05)
    (theirs, mine), (read, write) = os.pipe(), os.pipe()
    try:
        os.write(mine, b"".join(line(request(number, "read")) for number in range(requests)))
        with anyio.fail_after(PATIENCE):
            await StdioDispatcher(make(theirs, write)).run(answer_together, ignore)
    finally:
        for end in (mine, theirs, read, write):
            os.close(end)


async def test_a_client_that_reads_slowly_gets_every_answer_after_the_end_of_input(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line_writer, "FINAL_WRITE_SECONDS", 30.0)
    heard = list[int]()

    async def read_to_the_end() -> None:
        heard.extend([(await client.next())["id"] for _ in range(3)])

    async with anyio.create_task_group() as reading, dispatched(Handler()) as client:
        await client.send(b"".join(line(request(number, "read")) for number in range(3)))
        await anyio.wait_all_tasks_blocked()
        reading.start_soon(read_to_the_end)
    assert heard == [0, 1, 2]


async def test_a_thread_reads_few_chunks_before_their_lines_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    chunks, read, taken, ahead = 1_000, 0, 0, 0

    class CountingSplitter(LineSplitter):
        def feed(self, data: bytes) -> None:
            nonlocal read, ahead
            read += 1
            ahead = max(ahead, read - taken)
            super().feed(data)

    monkeypatch.setattr(thread_transport, "LineSplitter", CountingSplitter)
    monkeypatch.setattr(thread_transport, "CHUNK_BYTES", 2)
    theirs, mine = os.pipe()
    try:
        os.write(mine, b"x\n" * chunks)
        os.close(mine)
        transport = ThreadTransport(theirs, theirs)
        with anyio.fail_after(30):
            while lines := await transport.read_lines():
                taken += len(lines)
    finally:
        os.close(theirs)
    assert taken == chunks
    assert ahead <= thread_transport.CHUNKS_AHEAD + 3


@pytest.mark.parametrize("is_ended", [True, False], ids=["ended input", "endless input"])
def test_an_early_response_that_nobody_reads_ends_the_server(is_ended: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipe_transport, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(pipe_transport, "FINAL_WRITE_SECONDS", 0.05)
    monkeypatch.setattr(pipe_transport, "MAX_EARLY_READS", 1)
    (theirs, mine), (read, write) = os.pipe(), os.pipe()
    transport = PipeTransport(theirs, write)
    try:
        os.write(mine, b"x" * CHUNK_BYTES)
        if is_ended:
            os.close(mine)
        with pytest.raises(BrokenPipeError):
            transport.write_blocking(b"x" * (2 * PIPE_BYTES))
    finally:
        for end in (theirs, read, write) if is_ended else (theirs, mine, read, write):
            os.close(end)
