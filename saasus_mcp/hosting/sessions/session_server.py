"""The protocols before 2026-07-28 over Streamable HTTP: any replica serves any request of any session."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Any

import anyio
import pydantic_core
from anyio.abc import TaskGroup, TaskStatus
from mcp.server.lowlevel import Server
from mcp.server.streamable_http import StreamableHTTPServerTransport
from mcp.shared.dispatcher import coerce_request_id
from mcp_types import (
    InitializeRequestParams,
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from saasus_mcp.common.messages import message
from saasus_mcp.hosting.auth.auth_middleware import CALLER_KEY
from saasus_mcp.hosting.auth.profile_access import ServedProfile
from saasus_mcp.hosting.http_errors import error_response, unavailable_response
from saasus_mcp.hosting.plain_exchange import end_with_client
from saasus_mcp.hosting.request_narrowing import NARROWING_KEY
from saasus_mcp.hosting.sessions.client_session import ClientSession, EndedSessions, SessionIds, SessionTooLarge
from saasus_mcp.hosting.sessions.exchange import (
    CANCELLED,
    INITIALIZE,
    QUESTION_ID_PATTERN,
    Exchange,
    body_receiver,
    digest_request_id,
)
from saasus_mcp.hosting.sessions.mailbox_service import MailboxService
from saasus_mcp.hosting.sessions.session_reads import ReadRecognizer, SessionRead
from saasus_mcp.server.stdio.jsonrpc_envelope import EMPTY_ENVELOPE
from saasus_mcp.server.stdio.jsonrpc_parser import INVALID_REQUEST, WRONG_ID, InvalidMessage, check_message
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.mailboxes import MailboxFull

log = logging.getLogger(__name__)

SESSION_HEADER = "mcp-session-id"
RESUME_HEADER = b"last-event-id"
POLL_SECONDS = 0.25
"""Seconds between two looks into the mailboxes. A person takes longer to answer than this delays the answer."""
OPEN_SECONDS = 1.0
"""A request that takes longer gets a mailbox, so that it can be cancelled through any replica."""
CANCEL, ANSWER = "cancel", "answer"
"""The kinds of messages between replicas, each with the number of the answered question and the client's answer."""
MAX_ANSWER_BYTES = 65_536
"""Bytes of an answer to a question, which may pass through the store."""
BATCH = "Batches are not supported over HTTP. Send one JSON-RPC message in each request."
NOT_OBJECT = "The body is not a JSON object. Send one JSON-RPC message."
JsonRpcAnswer = JSONRPCResponse | JSONRPCError


class SessionServer:
    """Serves the sessions of one profile, while `run` is entered.

    A session is in its id, so a replica has only requests in progress. What belongs to a request of another replica
    (the answer to its question, its cancellation) goes there through the store.
    """

    def __init__(self, server: Server[Any], profile: ServedProfile) -> None:
        self._server = server
        self._ids = SessionIds(profile.pipeline.encryptor, profile.name)
        self._mailboxes = MailboxService(profile, "message for", POLL_SECONDS)
        self._ended = EndedSessions(profile)
        self._reads = ReadRecognizer(profile)
        self._exchanges: dict[str, Exchange | SessionRead] = {}
        self._requests: dict[tuple[str, RequestId], Exchange | SessionRead] = {}
        self._streams: dict[StreamableHTTPServerTransport, str] = {}
        self._lifespan: Any = None
        self._tasks: TaskGroup | None = None

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Serve requests until the block ends."""
        async with self._server.lifespan(self._server) as self._lifespan, anyio.create_task_group() as tasks:
            self._tasks = tasks
            tasks.start_soon(self._mailboxes.run, lambda: bool(self._exchanges), self._collect_messages)
            yield
            self._tasks = None
            tasks.cancel_scope.cancel()

    async def end_questions(self, reason: str) -> None:
        """End the open questions, because this replica stops. Their calls are answered, and nothing is sent."""
        for exchange in tuple(self._exchanges.values()):
            await exchange.end_questions(reason)

    async def handle_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request whose caller is known."""
        method, identifier = scope["method"], Headers(scope=scope).get(SESSION_HEADER)
        body = await Request(scope, receive).body() if method == "POST" else b""
        parsed = _parse(body) if method == "POST" else None
        receive = body_receiver(body, receive) if method == "POST" else receive
        if body and not isinstance(parsed, JSONRPCRequest | JsonRpcAnswer) and _is_json(scope):
            refusal = _refuse_message(body)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        if isinstance(parsed, JSONRPCRequest) and parsed.method == INITIALIZE:
            await self._open_session(parsed, scope, receive, send)
            return
        session = await self._find_session(identifier, scope)
        if isinstance(session, Response):
            await session(scope, receive, send)
            return
        scope = {**scope, NARROWING_KEY: session.narrowing & scope[NARROWING_KEY]}
        if method == "GET":
            await self._stream(session, scope, receive, send)
        elif method == "DELETE":
            await (await self._end_session(session))(scope, receive, send)
        elif isinstance(parsed, JsonRpcAnswer | JSONRPCNotification) and _is_json(scope):
            await (await self._take_message(session, parsed, len(body)))(scope, receive, send)
        elif isinstance(parsed, JSONRPCRequest) and self._reads.is_short(parsed, session, scope, body):
            end_with_client(scope)
            read = SessionRead(session, parsed.id, scope, receive)
            async with self._in_progress(read):
                response = await read.run(self._server, self._lifespan, parsed)
            await response(scope, receive, send)
        else:
            request_id = parsed.id if isinstance(parsed, JSONRPCRequest) else None
            await self._exchange(session, request_id, scope, receive, send)

    # -- sessions --------------------------------------------------------------------------------------------------

    async def _open_session(self, request: JSONRPCRequest, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            params = InitializeRequestParams.model_validate(request.params or {}, by_name=False)
        except ValidationError:  # which the SDK's server explains to the client
            params = InitializeRequestParams.model_validate(_NO_CLIENT, by_name=False)
        try:
            session = self._ids.issue(scope[CALLER_KEY], params, scope[NARROWING_KEY])
        except SessionTooLarge:
            text = message("hosting.session_too_large")
            await error_response(HTTPStatus.BAD_REQUEST, text)(scope, receive, send)
            return
        headers = [each for each in scope["headers"] if each[0] != SESSION_HEADER.encode()]
        await self._exchange(session, request.id, {**scope, "headers": headers}, receive, send, opens=True)

    async def _find_session(self, identifier: str | None, scope: Scope) -> ClientSession | Response:
        """Return the session that a request names, or the response that rejects the request."""
        if identifier is None:
            return error_response(HTTPStatus.BAD_REQUEST, message("hosting.session_missing"))
        session = self._ids.read(identifier, scope[CALLER_KEY])
        if session is None or await self._ended.contains(session):
            return error_response(HTTPStatus.NOT_FOUND, message("hosting.session_unknown"))
        return session

    async def _end_session(self, session: ClientSession) -> Response:
        try:
            await self._ended.add(session)
            await self._cancel_elsewhere(session)
        except StoreError:
            return unavailable_response(message("hosting.session_not_ended"))
        for exchange in [each for each in self._exchanges.values() if each.session.key == session.key]:
            await exchange.cancel()
        for stream in [each for each, key in self._streams.items() if key == session.key]:
            await stream.terminate()
        return _session_response(session, HTTPStatus.OK)

    # -- requests --------------------------------------------------------------------------------------------------

    async def _exchange(
        self,
        session: ClientSession,
        request_id: RequestId | None,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        opens: bool = False,
    ) -> None:
        """Work on a request and answer it."""
        if self._tasks is None:
            raise RuntimeError("the session server does not run")
        exchange = Exchange(
            self._server, self._lifespan, session, request_id, opens=opens, on_question=self._prepare_question
        )
        await self._tasks.start(partial(self._run_exchange, exchange))
        await exchange.serve(scope, receive, send)

    async def _run_exchange(
        self, exchange: Exchange, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        async with self._in_progress(exchange):
            try:
                await exchange.run(task_status=task_status)
            except Exception:
                log.exception("a request ended with an internal error")

    @asynccontextmanager
    async def _in_progress(self, request: Exchange | SessionRead) -> AsyncIterator[None]:
        """Let messages about a request find it."""
        self._exchanges[request.id] = request
        name = (request.session.key, coerce_request_id(request.request_id)) if request.request_id is not None else None
        if name is not None:
            self._requests[name] = request
        self._mailboxes.wake()
        try:
            yield
        finally:
            del self._exchanges[request.id]
            if name is not None and self._requests.get(name) is request:
                del self._requests[name]
            with anyio.CancelScope(shield=True):
                await self._mailboxes.close(request.id)

    async def _stream(self, session: ClientSession, scope: Scope, receive: Receive, send: Send) -> None:
        """Keep a stream open for a client that wants one. Whatever this server sends belongs to a request."""
        headers = [each for each in scope["headers"] if each[0] != RESUME_HEADER]  # no event has an id
        transport = StreamableHTTPServerTransport(mcp_session_id=session.id)
        self._streams[transport] = session.key
        try:
            async with transport.connect():
                try:
                    await transport.handle_request({**scope, "headers": headers}, receive, send)
                finally:
                    await transport.terminate()  # otherwise it logs its end as an error
        finally:
            del self._streams[transport]

    # -- messages about requests in progress -----------------------------------------------------------------------

    async def _take_message(
        self, session: ClientSession, parsed: JsonRpcAnswer | JSONRPCNotification, size: int
    ) -> Response:
        """Pass on an answer or a notification to the request that it belongs to, wherever that is."""
        try:
            if isinstance(parsed, JsonRpcAnswer):
                if size > MAX_ANSWER_BYTES:
                    text = message("hosting.answer_too_large", limit=MAX_ANSWER_BYTES)
                    return error_response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text)
                if not await self._pass_answer(session, parsed):
                    return error_response(HTTPStatus.BAD_REQUEST, message("hosting.question_closed"))
            elif parsed.method == CANCELLED:
                await self._cancel_request(session, (parsed.params or {}).get("requestId"))
        except MailboxFull as error:
            return unavailable_response(error)
        except StoreError:
            return unavailable_response(message("hosting.message_not_delivered"))
        return _session_response(session, HTTPStatus.ACCEPTED)

    async def _pass_answer(self, session: ClientSession, answer: JsonRpcAnswer) -> bool:
        """Pass on the answer to a question. Return False if the question is not open at any replica."""
        named = QUESTION_ID_PATTERN.fullmatch(str(answer.id))
        if named is None:
            return False
        content = answer.model_dump(by_alias=True, mode="json", exclude_unset=True)
        exchange, number = self._exchanges.get(named[1]), int(named[2])
        if exchange is None:
            return await self._mailboxes.post(named[1], session.key, [ANSWER, number, content])
        return exchange.session.key == session.key and await exchange.answer(number, content)

    async def _cancel_request(self, session: ClientSession, request_id: Any) -> None:
        if not isinstance(request_id, str | int):
            return
        exchange = self._requests.get((session.key, coerce_request_id(request_id)))
        if exchange is not None:
            await exchange.cancel()
        else:
            await self._cancel_elsewhere(session, digest_request_id(request_id))

    async def _cancel_elsewhere(self, session: ClientSession, request: str | None = None) -> None:
        """Cancel a request of a session at other replicas, or without its digest all of its requests.

        Raises:
            StoreError: the store fails.
        """
        for mailbox in await self._mailboxes.find(session.key, request):
            await self._mailboxes.put(mailbox, session.key, [CANCEL, 0, None])

    async def _prepare_question(self, exchange: Exchange) -> None:
        """Open the mailbox into which other replicas put the answer. Without the store only this replica takes it."""
        try:
            await self._mailboxes.open([exchange.mailbox])
        except StoreError as error:
            log.warning("a question can only be answered through this server: %s", error)

    async def _collect_messages(self) -> None:
        """Take the messages of other replicas for requests that take their time."""
        old = anyio.current_time() - OPEN_SECONDS
        await self._mailboxes.open(each.mailbox for each in self._exchanges.values() if each.started_at <= old)
        async for mailbox, (kind, number, answer) in self._mailboxes.take_messages(self._can_use):
            exchange = self._exchanges.get(mailbox)
            if exchange is not None:
                await (exchange.cancel() if kind == CANCEL else exchange.answer(number, answer))

    def _can_use(self, mailbox: str, content: Any) -> bool:
        kind, number, _ = content
        exchange = self._exchanges.get(mailbox)
        return exchange is not None and (kind == CANCEL or exchange.expects(number))


_NO_CLIENT = {"protocolVersion": "", "capabilities": {}, "clientInfo": {"name": "", "version": ""}}


def _parse(body: bytes) -> JSONRPCRequest | JSONRPCNotification | JsonRpcAnswer | None:
    """Return the message of a body, or None if it is not one, which the transport explains to the client."""
    try:
        return jsonrpc_message_adapter.validate_python(pydantic_core.from_json(body), by_name=False)
    except ValueError:  # also: pydantic.ValidationError
        return None


def _refuse_message(body: bytes) -> JSONResponse | None:
    """Return the response to an invalid message; None if it is valid, or if the body is not JSON, which the SDK explains.

    A request whose id has another type is invalid: taken for a notification, it would never be answered.
    """
    try:
        content = pydantic_core.from_json(body)
    except ValueError:
        return None
    if isinstance(content, dict):
        checked = check_message(content)
        if isinstance(content.get("id"), float):  # also 1.0, which the SDK takes for no id
            checked = InvalidMessage(EMPTY_ENVELOPE, INVALID_REQUEST, WRONG_ID)
    else:
        checked = InvalidMessage(EMPTY_ENVELOPE, INVALID_REQUEST, BATCH if isinstance(content, list) else NOT_OBJECT)
    if not isinstance(checked, InvalidMessage):
        return None
    identifier = checked.envelope.id if isinstance(checked.envelope.id, str | int) else None
    error = {"code": checked.code, "message": checked.message}
    return JSONResponse({"jsonrpc": "2.0", "id": identifier, "error": error}, HTTPStatus.BAD_REQUEST)


def _is_json(scope: Scope) -> bool:
    return Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def _session_response(session: ClientSession, status: HTTPStatus) -> Response:
    return Response(None, status, {SESSION_HEADER: session.id}, "application/json")
