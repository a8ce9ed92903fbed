"""One request of a session, its answer, and the questions that the server asks the client meanwhile."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import anyio
from anyio.abc import TaskStatus
from mcp.server.connection import Connection
from mcp.server.lowlevel import Server
from mcp.server.runner import ServerRunner
from mcp.server.streamable_http import StreamableHTTPServerTransport
from mcp.shared.dispatcher import DispatchContext, OnRequest, coerce_request_id
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp.shared.message import SessionMessage
from mcp.shared.transport_context import TransportContext
from mcp_types import JSONRPCNotification, JSONRPCRequest, RequestId
from starlette.types import Message as AsgiMessage
from starlette.types import Receive, Scope, Send

from saasus_mcp.hosting.sessions.client_session import ClientSession
from saasus_mcp.store.mailboxes import Mailbox

INITIALIZE = "initialize"
CANCELLED = "notifications/cancelled"
QUESTION_ID_PATTERN = re.compile(r"([0-9a-f]{32})-([0-9]{1,9})")
"""The id of a question on the wire: the exchange, and the SDK's number of the question."""
STOPPING_CODE = -32011
"""The code of the error that ends a question when the server stops. MCP leaves -32000 to -32019 free."""


class Exchange:
    """A request and its answer. Its session has no other state than its id, so each request has a connection of its own.

    Ids of questions name the exchange, so that any replica knows where an answer belongs.

    Args:
        request_id: the client's id of the request; None if the body is not a request, which the transport then refuses.
        opens: whether the request opens the session.
        on_question: called before a question is sent.
    """

    def __init__(
        self,
        server: Server[Any],
        lifespan: Any,
        session: ClientSession,
        request_id: RequestId | None,
        *,
        opens: bool,
        on_question: Callable[[Exchange], Awaitable[None]],
    ) -> None:
        self.id = secrets.token_hex(16)
        self.session = session
        self.request_id = request_id
        self.started_at = anyio.current_time()
        self._server = server
        self._lifespan = lifespan
        self._opens = opens
        self._on_question = on_question
        self._transport = StreamableHTTPServerTransport(mcp_session_id=session.id)
        self._questions: set[RequestId] = set()
        self._was_dispatched = False
        self._handled, self._left = anyio.Event(), anyio.Event()
        self._delivery = anyio.Lock()  # the transport must not end while it takes a message

    @property
    def mailbox(self) -> Mailbox:
        """Where another replica puts messages about this request."""
        return Mailbox(self.id, self.session.key, digest_request_id(self.request_id))

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Work on the request until it is answered, also when its client has gone."""
        async with self._transport.connect() as (reading, writing), anyio.create_task_group() as tasks:
            dispatcher: JSONRPCDispatcher[TransportContext] = JSONRPCDispatcher(
                reading, _QuestionStream(writing, self), inline_methods=frozenset({INITIALIZE})
            )
            runner = ServerRunner(self._server, self._connection(dispatcher), self._lifespan)
            tasks.start_soon(self._end_when_done)
            await dispatcher.run(self._recorded(runner.on_request), runner.on_notify, task_status=task_status)
            tasks.cancel_scope.cancel()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the HTTP request. A client that leaves an open question gets no answer, so the request is cancelled."""
        try:
            await self._transport.handle_request(scope, receive, send)
        finally:
            self._left.set()
            if not self._was_dispatched:
                self._handled.set()
            if self._questions:
                with anyio.CancelScope(shield=True):
                    await self.cancel()

    async def prepare_question(self, number: RequestId) -> None:
        """Expect the answer to a question that is about to be sent.

        Raises:
            anyio.BrokenResourceError: the client has gone.
        """
        if self._left.is_set():
            raise anyio.BrokenResourceError
        self._questions.add(number)
        await self._on_question(self)

    def withdraw_question(self, number: RequestId) -> None:
        """Expect no answer to a question any more."""
        self._questions.discard(number)

    def expects(self, number: int) -> bool:
        """Return whether the question with this number is open."""
        return number in self._questions

    async def answer(self, number: int, message: Mapping[str, Any]) -> bool:
        """Pass on the client's answer to a question. Return False if the question is not open."""
        if number not in self._questions:
            return False
        self._questions.discard(number)
        await self._deliver({**message, "id": number})
        return True

    async def cancel(self) -> None:
        """Cancel the request, as its client would."""
        await self._deliver({"jsonrpc": "2.0", "method": CANCELLED, "params": {"requestId": self.request_id}})

    async def end_questions(self, reason: str) -> None:
        """End open questions with an error, so that the call is answered without them."""
        for number in tuple(self._questions):
            self._questions.discard(number)
            error = {"code": STOPPING_CODE, "message": reason}
            await self._deliver({"jsonrpc": "2.0", "id": number, "error": error})

    def question_id(self, number: RequestId) -> str:
        return f"{self.id}-{number}"

    def _connection(self, dispatcher: JSONRPCDispatcher[TransportContext]) -> Connection:
        if self._opens:
            return Connection.for_loop(dispatcher, session_id=self.session.id)
        return Connection.from_envelope(self.session.protocol_version, None, self.session.capabilities)

    def _recorded(self, on_request: OnRequest) -> OnRequest:
        async def record(
            context: DispatchContext[TransportContext], method: str, params: Mapping[str, Any] | None
        ) -> dict[str, Any]:
            self._was_dispatched = True
            try:
                return await on_request(context, method, params)
            finally:
                self._questions.clear()
                self._handled.set()

        return record

    async def _end_when_done(self) -> None:
        await self._handled.wait()
        await self._left.wait()
        async with self._delivery:
            await self._transport.terminate()

    async def _deliver(self, message: Mapping[str, Any]) -> None:
        """Give the transport a message, as a request of the client would. A request that was worked on needs none."""
        headers = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-session-id": self.session.id,
        }
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope: Scope = {"type": "http", "method": "POST", "path": "/mcp", "query_string": b"", "headers": raw}
        async with self._delivery:
            if not self._handled.is_set():
                await self._transport.handle_request(scope, body_receiver(json.dumps(message).encode()), discard)


@dataclass(frozen=True, slots=True)
class WrappedStream:
    """The part of a stream to the client that its wrappers leave as it is."""

    inner: Any

    async def aclose(self) -> None:
        await self.inner.aclose()

    async def __aenter__(self) -> Self:
        await self.inner.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.inner.__aexit__(*error)


@dataclass(frozen=True, slots=True)
class _QuestionStream(WrappedStream):
    """Writes to the client, with ids of questions that name the exchange."""

    exchange: Exchange

    async def send(self, item: SessionMessage, /) -> None:
        message = item.message
        if isinstance(message, JSONRPCRequest):
            await self.exchange.prepare_question(message.id)
            named = message.model_copy(update={"id": self.exchange.question_id(message.id)})
            item = replace(item, message=named)
        elif isinstance(message, JSONRPCNotification) and message.method == CANCELLED:
            params = dict(message.params or {})
            self.exchange.withdraw_question(params["requestId"])
            params["requestId"] = self.exchange.question_id(params["requestId"])
            item = replace(item, message=message.model_copy(update={"params": params}))
        await self.inner.send(item)


def digest_request_id(request_id: RequestId | None) -> str:
    """Return the digest of a client's request id, which may be a text of any length."""
    known = None if request_id is None else coerce_request_id(request_id)
    return hashlib.sha256(f"{type(known).__name__} {known}".encode("utf-8", "surrogatepass")).hexdigest()


def body_receiver(body: bytes, receive: Receive | None = None) -> Receive:
    """Return a `receive` of a body that was read already, and then of what follows."""
    return replay({"type": "http.request", "body": body, "more_body": False}, receive)


def replay(part: AsgiMessage, receive: Receive | None = None) -> Receive:
    """Return a `receive` that returns a part of a request once more, and then what follows."""
    messages = [part]

    async def receive_again() -> AsgiMessage:
        if messages:
            return messages.pop()
        if receive is not None:
            return await receive()
        return {"type": "http.disconnect"}

    return receive_again


async def discard(_: AsgiMessage) -> None:
    """Send a response to nobody."""
