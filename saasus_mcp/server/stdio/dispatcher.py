"""MCP on stdio: lines of a transport as messages for the SDK's server, and its messages as lines.

No message is dropped silently. An invalid request gets an error under its id. An unreadable response of the client ends the wait
for it. Everything else is reported on standard error.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine, Mapping, Sequence
from itertools import chain
from typing import Any, Protocol

import anyio
import anyio.abc
from mcp.shared.dispatcher import (
    CallOptions,
    OnNotify,
    OnNotifyIntercept,
    OnRequest,
    coerce_request_id,
    run_notify_intercept,
)
from mcp.shared.exceptions import MCPError
from mcp.shared.jsonrpc_dispatcher import cancelled_request_id_from_params, handler_exception_to_error_data
from mcp.types import CONNECTION_CLOSED, INTERNAL_ERROR, ErrorData, RequestId
from pydantic_core import to_json

from saasus_mcp.server.elicitation import INVALID_RESPONSE_CODE
from saasus_mcp.server.stdio import jsonrpc_parser
from saasus_mcp.server.stdio.client_message import ClientMessage
from saasus_mcp.server.stdio.jsonrpc_parser import InvalidMessage, ParsedMessage
from saasus_mcp.server.stdio.line_splitter import Line
from saasus_mcp.server.stdio.line_writer import LineWriter
from saasus_mcp.server.stdio.log_throttle import RepeatFilter

log = logging.getLogger(__name__)

CANCELLED_METHOD = "notifications/cancelled"
MESSAGES_A_TURN = 32
"""Messages that are read before the event loop does something else: many lines must not delay the answers to others.

Calls that begin in one turn share a transaction of the audit log, and often a write of their answers. With 32 calls at once, a limit of
8 took 1.13 times the processor time, and a ping waited longer.
"""

FINAL_ANSWER_SECONDS = 1.0
"""Seconds to wait for answers at the end of input. Then the other requests are cancelled, and answered with an error."""

CANCEL_SECONDS = 5.0
"""Seconds in which the client must take the notification that a question to it was cancelled."""

INTERNAL = ErrorData(code=INTERNAL_ERROR, message="Internal server error; see the server log.")
CLOSED = ErrorData(code=CONNECTION_CLOSED, message="Connection closed")


class LineTransport(Protocol):
    """The transport that a dispatcher needs."""

    discarded_id: str | None

    async def read_lines(self) -> Sequence[Line]: ...

    def end_input(self) -> None: ...

    def write_now(self, data: bytes) -> bytes | memoryview: ...

    async def write(self, data: bytes) -> None: ...


class StdioDispatcher:
    """The messages of one client (the SDK's `Dispatcher`). Options of requests to the client are ignored: this server uses none.

    Attributes:
        can_send_request: whether the protocol of the client has requests of the server.
    """

    def __init__(self, transport: LineTransport) -> None:
        self.can_send_request = True
        self._transport = transport
        self._writer = LineWriter(transport.write_now, transport.write)
        self._revision: str | None = None
        self._messages: dict[ClientMessage, asyncio.Task[None]] = {}
        self._requests: dict[RequestId, ClientMessage] = {}
        self._questions: dict[str, asyncio.Future[ParsedMessage]] = {}
        self._last_question = 0
        self._repeat_filter = RepeatFilter()
        self._is_ended = self._is_closed = False

    async def run(
        self,
        on_request: OnRequest,
        on_notify: OnNotify,
        on_notify_intercept: OnNotifyIntercept | None = None,
        *,
        task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve the client until it ends its input. Each message is handled in a task, `initialize` before the next one is read."""
        async with anyio.create_task_group() as writing:
            writing.start_soon(self._write)
            task_status.started()
            try:
                await self._read(on_request, on_notify, on_notify_intercept)
                if self._messages:
                    await asyncio.wait(self._messages.values(), timeout=FINAL_ANSWER_SECONDS)
            finally:
                self._transport.end_input()
                with anyio.CancelScope(shield=True):
                    await self._cancel_all()
                self._writer.close()

    def end(self) -> None:
        """End the input, as the client does: calls are cancelled, and pending writes finish first."""
        self._is_ended = True
        self._transport.end_input()
        self._writer.limit_time()

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        """Ask the client, and return its result. Raise MCPError if the client answered with an error, or has gone."""
        if self._is_closed:
            raise MCPError.from_error_data(CLOSED)
        self._last_question += 1
        number = self._last_question
        answer = self._questions[str(number)] = asyncio.get_running_loop().create_future()
        try:
            members = {"id": number, "method": method, **({"params": params} if params else {})}
            await self._send(members)
            reply = await answer
        except asyncio.CancelledError:
            with anyio.move_on_after(CANCEL_SECONDS, shield=True):
                await self.notify(CANCELLED_METHOD, {"requestId": number, "reason": "caller cancelled"})
            raise
        finally:
            del self._questions[str(number)]
        if "error" in reply:
            raise MCPError(reply["error"]["code"], reply["error"]["message"], reply["error"].get("data"))
        result: dict[str, Any] = reply["result"]
        return result

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:
        """Send a notification, unless the client has gone."""
        if not self._is_closed:
            await self._send({"method": method, **({} if params is None else {"params": params})})

    async def _send(self, members: Mapping[str, Any]) -> None:
        """Send a request or a notification, when the client has read most of what was sent before."""
        await self._writer.wait_for_room()
        self._writer.put(_line(members))

    async def _write(self) -> None:
        """Write what waits. If the client takes nothing for long, the input ends: it would wait for answers that are not written."""
        await self._writer.write_waiting()
        if self._writer.has_given_up and not self._is_closed:
            log.warning("The client reads no answers: the server ends.")
            self._is_ended = True
            self._transport.end_input()

    # -- from the client -----------------------------------------------------------------------------------------------

    async def _read(
        self, on_request: OnRequest, on_notify: OnNotify, on_notify_intercept: OnNotifyIntercept | None
    ) -> None:
        count = 0
        while lines := await self._transport.read_lines():
            for frame in chain.from_iterable(jsonrpc_parser.parse_line(line, self._revision) for line in lines):
                count += 1
                if count % MESSAGES_A_TURN == 0:
                    await asyncio.sleep(0)
                if self._writer.is_full:
                    await self._writer.wait_for_room()
                if self._is_ended:
                    return
                if isinstance(frame, InvalidMessage):
                    self._reject(frame)
                elif "method" not in frame:
                    self._take_response(frame)
                elif "id" not in frame:
                    self._take_notification(frame, on_notify, on_notify_intercept)
                else:
                    request = ClientMessage(self, frame["method"], frame.get("params"), frame["id"])
                    self._requests[frame["id"]] = request
                    handled = self._start(request, self._answer(request, on_request))
                    if request.method == "initialize":
                        self._revision = _revision(request.params)
                        await asyncio.wait([handled])

    def _take_notification(
        self, frame: ParsedMessage, on_notify: OnNotify, on_notify_intercept: OnNotifyIntercept | None
    ) -> None:
        message = ClientMessage(self, frame["method"], frame.get("params"))
        if message.method == CANCELLED_METHOD:
            cancelled = cancelled_request_id_from_params(message.params)
            if cancelled is not None:
                self._cancel(cancelled)
        if not run_notify_intercept(on_notify_intercept, message.method, message.params):
            self._start(message, self._handle(message, on_notify))

    def _cancel(self, number: RequestId) -> None:
        """Cancel a request. Some clients confuse a number with its text, which can also be the id of another request."""
        for each in (number, coerce_request_id(number), str(number)):
            if each in self._requests:
                self._requests[each].cancel()
                return

    def _take_response(self, frame: ParsedMessage) -> None:
        waiting = self._questions.get(str(frame["id"]))
        if waiting is None or waiting.done():
            self._report("A response does not match a pending request.")
        else:
            waiting.set_result(frame)

    def _reject(self, invalid: InvalidMessage) -> None:
        """Answer or report an invalid message. An unreadable response becomes the error that ends the wait for it."""
        envelope = invalid.envelope
        waiting = None if envelope.is_call or envelope.id is None else self._questions.get(str(envelope.id))
        if waiting is not None and not waiting.done():
            waiting.set_result({"error": {"code": INVALID_RESPONSE_CODE, "message": invalid.message}})
            return
        if envelope.id is None or envelope.is_response:
            self._report(invalid.reason)
        if envelope.has_id and not envelope.is_response:
            error = {"code": invalid.code, "message": invalid.message}
            # with escapes, an id with a lone surrogate can be repeated
            answer = json.dumps({"jsonrpc": "2.0", "id": envelope.id, "error": error}, separators=(",", ":"))
            self._writer.put(answer.encode("ascii") + b"\n")

    def _report(self, why: str) -> None:
        """Write one line to standard error that repeats nothing of the message."""
        count = self._repeat_filter.count(why.partition(":")[0])
        if count is not None:
            log.warning("A message on standard input was rejected (%d for this reason so far). %s", count, why)

    # -- messages in progress ------------------------------------------------------------------------------------------

    def _start(self, message: ClientMessage, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Work on a message in a task. The loop's own tasks take fewer function calls than those of a task group."""
        task = self._messages[message] = asyncio.get_running_loop().create_task(work)
        return task

    async def _answer(self, request: ClientMessage, on_request: OnRequest) -> None:
        line, number = b"", request.request_id
        try:
            with request.scope:
                try:
                    line = _answer_line(number, result=await on_request(request, request.method, request.params))
                except BaseException as error:
                    if _ends_the_work(error, request):
                        raise
                    line = _error_line(number, _to_error_data(error, request.method))
                finally:
                    request.is_handled = True
                    if number is not None and self._requests.get(number) is request:  # not another with the same id
                        del self._requests[number]
            if not request.is_cancelled and number != self._transport.discarded_id:
                put = self._writer.put_soon if self._requests else self._writer.put
                put(line or _error_line(number, CLOSED))  # without a line, the server ends
        finally:
            del self._messages[request]

    async def _handle(self, notification: ClientMessage, on_notify: OnNotify) -> None:
        try:
            with notification.scope:
                await on_notify(notification, notification.method, notification.params)
        finally:
            del self._messages[notification]

    async def _cancel_all(self) -> None:
        """Cancel the messages in progress, and wait for the end of what cannot be cancelled."""
        self._is_closed = True
        for waiting in self._questions.values():
            if not waiting.done():
                waiting.set_result({"error": CLOSED.model_dump()})
        for message in self._messages:
            message.scope.cancel()
        if self._messages:
            await asyncio.wait(self._messages.values())


def _ends_the_work(error: BaseException, request: ClientMessage) -> bool:
    """Return whether an exception cancels the request or ends the process. Another one, a failed extension's too, is answered."""
    if isinstance(error, Exception):
        return False
    return request.scope.cancel_called or isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit)


def _error_line(number: RequestId | None, error: ErrorData) -> bytes:
    return _answer_line(number, error=error.model_dump(exclude_unset=True))


def _answer_line(number: RequestId | None, **outcome: Mapping[str, Any]) -> bytes:
    """Return the answer to a request, or an error in its place if it cannot be encoded."""
    try:
        return _line({"id": number, **outcome})
    except ValueError as error:
        log.error("An answer cannot be encoded as JSON (%s)", type(error).__name__)  # noqa: TRY400 - the text may repeat it
        return _error_line(number, INTERNAL)


def _line(members: Mapping[str, Any]) -> bytes:
    return to_json({"jsonrpc": "2.0", **members}, inf_nan_mode="null") + b"\n"


def _to_error_data(error: BaseException, method: str) -> ErrorData:
    """Return what the client learns of an exception: nothing of the text of an unexpected one."""
    known = handler_exception_to_error_data(error)
    if known is None:
        log.error("%s failed with an internal error", method, exc_info=error)
    return known or INTERNAL


def _revision(params: Mapping[str, Any] | None) -> str | None:
    """Return the revision of MCP that the params of `initialize` ask for."""
    asked = (params or {}).get("protocolVersion")
    return asked if isinstance(asked, str) else None
