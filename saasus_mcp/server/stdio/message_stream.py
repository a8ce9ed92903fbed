"""MCP on stdio: lines of a wire as messages for the SDK's server, and its messages as lines.

Nothing is dropped in silence. What asks for an answer and cannot be taken gets an error under its id; an answer of the
client that cannot be read ends the wait for it; of everything else, standard error tells.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Protocol

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
"""Seconds for which a client may take to read what is left when the server was told to end."""

FINAL_ANSWER_SECONDS = 1.0
"""Seconds for which answers are waited for at the end of input; then the SDK answers what is left with an error."""

MessageStreams = tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]


class LineTransport(Protocol):
    """What a conversation needs of a wire."""

    discarded_id: str | None

    def __aiter__(self) -> AsyncIterator[Line]: ...

    async def write(self, data: bytes) -> None: ...


class MessageStream:
    """One client's messages."""

    def __init__(self, wire: LineTransport) -> None:
        self._wire = wire
        self._revision: str | None = None
        self._asked: set[str] = set()
        self._unanswered: set[str] = set()
        self._answered = anyio.Event()
        self._repeats = RepeatFilter()
        self._reading, self._writing = anyio.CancelScope(), anyio.CancelScope()

    @asynccontextmanager
    async def streams(self) -> AsyncIterator[MessageStreams]:
        """What the SDK's server runs on."""
        to_server, from_client = anyio.create_memory_object_stream[SessionMessage | Exception]()
        to_client, from_server = anyio.create_memory_object_stream[SessionMessage]()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._read, to_server)
            tasks.start_soon(self._write, from_server)
            yield from_client, to_client
            self._reading.cancel()

    def end(self) -> None:
        """End the conversation as the end of input does: calls are cancelled, and writes on their way finish first."""
        self._reading.cancel()
        self._writing.deadline = anyio.current_time() + FINAL_WRITE_SECONDS

    # -- from the client -----------------------------------------------------------------------------------------------

    async def _read(self, server: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
        async with server:
            with self._reading, suppress(anyio.BrokenResourceError):  # the server has stopped reading
                async for line in self._wire:
                    for frame in jsonrpc_parser.parse_line(line, self._revision):
                        message = (
                            await self._refused(frame) if isinstance(frame, InvalidMessage) else self._message(frame)
                        )
                        if message is not None:
                            await server.send(SessionMessage(message))
                        else:
                            await checkpoint()  # lines that are refused must not keep others from their answers
                await self._last_answers()

    async def _last_answers(self) -> None:
        """Let requests be answered that came right before the end of input: the client may read on."""
        with anyio.move_on_after(FINAL_ANSWER_SECONDS):
            while self._unanswered:
                self._answered = anyio.Event()
                await self._answered.wait()

    def _message(self, frame: Message) -> JSONRPCMessage | None:
        """The SDK's message; None for an answer that nobody waits for."""
        if "method" in frame:
            if frame["method"] == "initialize":
                self._revision = _revision(frame)
            if "id" in frame:
                self._unanswered.add(str(frame["id"]))
                return JSONRPCRequest.model_validate(frame)
            if frame["method"] == CANCELLED_METHOD:  # a request that is cancelled gets no answer
                self._unanswered.discard(_cancelled(frame.get("params")))
            return JSONRPCNotification.model_validate(frame)
        if str(frame["id"]) not in self._asked:
            self._tell("A response does not match a pending request.")
            return None
        self._asked.discard(str(frame["id"]))
        return (JSONRPCResponse if "result" in frame else JSONRPCError).model_validate(frame)

    async def _refused(self, fault: InvalidMessage) -> JSONRPCMessage | None:
        """Answer a fault, or tell of it. An answer that cannot be read becomes the error that ends the wait for it."""
        found = fault.envelope
        if not found.is_call and found.id is not None and str(found.id) in self._asked:
            self._asked.discard(str(found.id))
            misshapen = ErrorData(code=INVALID_RESPONSE_CODE, message=fault.message)
            return JSONRPCError(jsonrpc="2.0", id=_coerced(found.id), error=misshapen)
        if found.id is None or found.is_response:
            self._tell(fault.reason)
        if found.has_id and not found.is_response:
            error = {"code": fault.code, "message": fault.message}
            answer = json.dumps({"jsonrpc": "2.0", "id": found.id, "error": error}, separators=(",", ":"))
            await self._wire.write(answer.encode("ascii") + b"\n")  # escapes give an id back that is no Unicode
        return None

    def _tell(self, why: str) -> None:
        """One line on standard error, which repeats nothing that was sent."""
        count = self._repeats.count(why.partition(":")[0])
        if count is not None:
            log.warning("A message on standard input was rejected (%d for this reason so far). %s", count, why)

    # -- to the client -------------------------------------------------------------------------------------------------

    async def _write(self, server: MemoryObjectReceiveStream[SessionMessage]) -> None:
        async with server:
            with self._writing:
                async for each in server:
                    self._note(each.message)
                    if self._wire.discarded_id is None or getattr(each.message, "id", None) != self._wire.discarded_id:
                        await self._wire.write(_line(each.message))

    def _note(self, message: JSONRPCMessage) -> None:
        """Remember which requests wait for an answer: of the server, and of the client."""
        if isinstance(message, JSONRPCRequest):
            self._asked.add(str(message.id))
        elif isinstance(message, JSONRPCNotification):
            if message.method == CANCELLED_METHOD:
                self._asked.discard(_cancelled(message.params))
        else:
            self._unanswered.discard(str(message.id))
            self._answered.set()


def _cancelled(params: object) -> str:
    return str(params.get("requestId")) if isinstance(params, dict) else ""


def _revision(initialize: Message) -> str | None:
    """The revision of MCP that an `initialize` asks for: the one that is spoken from then on, where it has batches."""
    params = initialize.get("params")
    asked = params.get("protocolVersion") if isinstance(params, dict) else None
    return asked if isinstance(asked, str) else None


def _coerced(id: MessageId) -> str | int:
    return id if isinstance(id, str | int) else str(id)


def _line(message: JSONRPCMessage) -> bytes:
    """A message as the SDK writes it, or an error in place of an answer that is no JSON: that costs no connection."""
    try:
        return message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
    except ValueError as error:
        log.error("A message cannot be encoded as JSON (%s)", type(error).__name__)  # noqa: TRY400 - the text may repeat it
        if not isinstance(message, JSONRPCResponse | JSONRPCError):
            return b""
        failed = ErrorData(code=INTERNAL_ERROR, message="Internal server error; see the server log.")
        return _line(JSONRPCError(jsonrpc="2.0", id=message.id, error=failed))
