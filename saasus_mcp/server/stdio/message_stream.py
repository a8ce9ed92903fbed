"""MCP on stdio: lines of a transport as messages for the SDK's server, and its messages as lines.

No message is dropped silently. An invalid request gets an error under its id. An unreadable response of the client ends the wait
for it. Everything else is reported on standard error.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol, Self

import anyio
from anyio.lowlevel import checkpoint
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp.types import (
    INTERNAL_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
)

from saasus_mcp.server.elicitation import INVALID_RESPONSE_CODE
from saasus_mcp.server.stdio import jsonrpc_parser
from saasus_mcp.server.stdio.jsonrpc_envelope import MessageId
from saasus_mcp.server.stdio.jsonrpc_parser import InvalidMessage, Message
from saasus_mcp.server.stdio.line_splitter import Line
from saasus_mcp.server.stdio.log_throttle import RepeatFilter

log = logging.getLogger(__name__)

CANCELLED_METHOD = "notifications/cancelled"
FINAL_WRITE_SECONDS = 5.0
"""Seconds for the client to read pending messages when the server ends."""

FINAL_ANSWER_SECONDS = 1.0
"""Seconds to wait for answers at the end of input. Then the SDK answers the other requests with an error."""

WAITING_MESSAGES = 64
"""Messages to the client that may wait to be written. A call whose answer is the next one waits with it."""

WRITE_BYTES = 64 * 1024
"""Messages that are ready together are written together, up to about this size: what a pipe takes at once."""


class LineTransport(Protocol):
    """The transport that a message stream needs."""

    discarded_id: str | None

    async def read_lines(self) -> Sequence[Line]: ...

    def end_input(self) -> None: ...

    def write_now(self, data: bytes) -> bytes | memoryview: ...

    async def write(self, data: bytes) -> None: ...


class ClientMessages:
    """The messages from the client, as the SDK reads them."""

    def __init__(self, messages: AsyncGenerator[SessionMessage]) -> None:
        self._messages = messages

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Coroutine[Any, Any, SessionMessage]:
        return self._messages.__anext__()

    async def receive(self) -> SessionMessage:
        """Return the next message.

        Raises:
            anyio.EndOfStream: the input has ended.
        """
        try:
            return await self._messages.__anext__()
        except StopAsyncIteration:
            raise anyio.EndOfStream from None

    async def aclose(self) -> None:
        """Stop reading."""
        await self._messages.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class ServerMessages:
    """The messages to the client, as the SDK writes them."""

    def __init__(
        self, write: Callable[[JSONRPCMessage], Awaitable[None]], waiting: MemoryObjectSendStream[Any]
    ) -> None:
        self._write, self._waiting = write, waiting
        self._is_closed = False

    async def send(self, message: SessionMessage) -> None:
        """Write a message.

        Raises:
            anyio.ClosedResourceError, anyio.BrokenResourceError: the conversation has ended.
        """
        if self._is_closed:
            raise anyio.ClosedResourceError
        await self._write(message.message)

    async def aclose(self) -> None:
        """Write what waits, then end."""
        self._is_closed = True
        self._waiting.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


MessageStreams = tuple[ClientMessages, ServerMessages]


class MessageStream:
    """The messages of one client."""

    def __init__(self, transport: LineTransport) -> None:
        self._transport = transport
        self._revision: str | None = None
        self._pending_server: set[str] = set()
        self._pending_client: set[str] = set()
        self._answered = anyio.Event()
        self._repeat_filter = RepeatFilter()
        self._is_ended = False
        self._writing = anyio.CancelScope()
        self._waiting: MemoryObjectSendStream[bytes | memoryview]
        self._is_behind = False

    @asynccontextmanager
    async def streams(self) -> AsyncIterator[MessageStreams]:
        """Provide the streams that the SDK's server runs on."""
        self._waiting, lines = anyio.create_memory_object_stream[bytes | memoryview](WAITING_MESSAGES)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._write_waiting, lines)
            yield ClientMessages(self._read()), ServerMessages(self._send, self._waiting)

    def end(self) -> None:
        """End the stream as the end of input does: calls are cancelled, and pending writes finish first."""
        self._is_ended = True
        self._transport.end_input()
        self._writing.deadline = anyio.current_time() + FINAL_WRITE_SECONDS

    # -- from the client -----------------------------------------------------------------------------------------------

    async def _read(self) -> AsyncGenerator[SessionMessage]:
        """Yield the messages for the SDK, as it asks for them."""
        try:
            while lines := await self._transport.read_lines():
                for frame in self._parse(lines):
                    message = await self._reject(frame) if isinstance(frame, InvalidMessage) else self._to_sdk(frame)
                    if message is not None:
                        yield SessionMessage(message)
                    else:
                        await checkpoint()  # rejected lines must not delay the answers to others
            await self._await_last_answers()
        finally:
            self._transport.end_input()

    def _parse(self, lines: Sequence[Line]) -> Iterator[Message | InvalidMessage]:
        """Yield what the lines have, until this stream is ended."""
        for line in lines:
            for frame in jsonrpc_parser.parse_line(line, self._revision):
                if self._is_ended:
                    return
                yield frame

    async def _await_last_answers(self) -> None:
        """Wait for the answers to the last requests before the end of input: the client may still read."""
        with anyio.move_on_after(FINAL_ANSWER_SECONDS):
            while self._pending_client:
                self._answered = anyio.Event()
                await self._answered.wait()

    def _to_sdk(self, frame: Message) -> JSONRPCMessage | None:
        """Return the message for the SDK, or None for a response to no pending request."""
        if "method" in frame:
            if frame["method"] == "initialize":
                self._revision = _revision(frame)
            if "id" in frame:
                self._pending_client.add(str(frame["id"]))
                return JSONRPCRequest.model_validate(frame)
            if frame["method"] == CANCELLED_METHOD:  # a cancelled request gets no answer
                self._pending_client.discard(_cancelled_id(frame.get("params")))
            return JSONRPCNotification.model_validate(frame)
        if str(frame["id"]) not in self._pending_server:
            self._report("A response does not match a pending request.")
            return None
        self._pending_server.discard(str(frame["id"]))
        return (JSONRPCResponse if "result" in frame else JSONRPCError).model_validate(frame)

    async def _reject(self, invalid: InvalidMessage) -> JSONRPCMessage | None:
        """Answer or report an invalid message. An unreadable response becomes the error that ends the wait for it."""
        envelope = invalid.envelope
        if not envelope.is_call and envelope.id is not None and str(envelope.id) in self._pending_server:
            self._pending_server.discard(str(envelope.id))
            unreadable = ErrorData(code=INVALID_RESPONSE_CODE, message=invalid.message)
            return JSONRPCError(jsonrpc="2.0", id=_int_or_text(envelope.id), error=unreadable)
        if envelope.id is None or envelope.is_response:
            self._report(invalid.reason)
        if envelope.has_id and not envelope.is_response:
            error = {"code": invalid.code, "message": invalid.message}
            answer = json.dumps({"jsonrpc": "2.0", "id": envelope.id, "error": error}, separators=(",", ":"))
            await self._write(
                answer.encode("ascii") + b"\n"
            )  # with escapes, an id with a lone surrogate can be repeated
        return None

    def _report(self, why: str) -> None:
        """Write one line to standard error that repeats nothing of the message."""
        count = self._repeat_filter.count(why.partition(":")[0])
        if count is not None:
            log.warning("A message on standard input was rejected (%d for this reason so far). %s", count, why)

    # -- to the client -------------------------------------------------------------------------------------------------

    async def _send(self, message: JSONRPCMessage) -> None:
        data = self._encode(message)
        if data:
            await self._write(data)

    async def _write(self, line: bytes) -> None:
        """Write a line at once, or let it wait if the client is slow to read.

        A task that waits can be cancelled, and must not leave half a line. So only one task waits for the client.
        """
        if self._is_behind:
            await self._waiting.send(line)
            self._is_behind = True  # the earlier lines can be written by now, and this one is next
        elif rest := self._transport.write_now(line):
            self._is_behind = True
            self._waiting.send_nowait(rest)

    async def _write_waiting(self, lines: MemoryObjectReceiveStream[bytes | memoryview]) -> None:
        """Write the lines that wait for the client."""
        async with lines:
            with self._writing:
                async for line in lines:
                    data = bytearray(line)
                    with suppress(anyio.WouldBlock, anyio.EndOfStream):
                        while len(data) < WRITE_BYTES:
                            data += lines.receive_nowait()
                    await self._transport.write(bytes(data))
                    self._is_behind = lines.statistics().current_buffer_used > 0

    def _encode(self, message: JSONRPCMessage) -> bytes:
        """Return the line of a message that is about to be written. Nothing for the answer that is not sent."""
        self._track(message)
        discarded = self._transport.discarded_id
        return b"" if discarded is not None and getattr(message, "id", None) == discarded else _line(message)

    def _track(self, message: JSONRPCMessage) -> None:
        """Remember which requests wait for an answer: those of the server and those of the client."""
        if isinstance(message, JSONRPCRequest):
            self._pending_server.add(str(message.id))
        elif isinstance(message, JSONRPCNotification):
            if message.method == CANCELLED_METHOD:
                self._pending_server.discard(_cancelled_id(message.params))
        else:
            self._pending_client.discard(str(message.id))
            self._answered.set()


def _cancelled_id(params: object) -> str:
    return str(params.get("requestId")) if isinstance(params, dict) else ""


def _revision(initialize: Message) -> str | None:
    """Return the revision of MCP that an `initialize` asks for."""
    params = initialize.get("params")
    asked = params.get("protocolVersion") if isinstance(params, dict) else None
    return asked if isinstance(asked, str) else None


def _int_or_text(id: MessageId) -> str | int:
    return id if isinstance(id, str | int) else str(id)


def _line(message: JSONRPCMessage) -> bytes:
    """Return a message as the SDK writes it, or an error in its place if it cannot be encoded."""
    try:
        return message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
    except ValueError as error:
        log.error("A message cannot be encoded as JSON (%s)", type(error).__name__)  # noqa: TRY400 - the text may repeat it
        if not isinstance(message, JSONRPCResponse | JSONRPCError):
            return b""
        failed = ErrorData(code=INTERNAL_ERROR, message="Internal server error; see the server log.")
        return _line(JSONRPCError(jsonrpc="2.0", id=message.id, error=failed))
