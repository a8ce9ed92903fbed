"""Short reads of sessions: from the SDK's runner to plain JSON, without the streams by which a call can ask its client."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import anyio
from mcp.server.connection import Connection
from mcp.server.lowlevel import Server
from mcp.server.runner import ServerRunner
from mcp.server.streamable_http import REQUEST_CANCELLED
from mcp_types import JSONRPCRequest
from starlette.responses import Response
from starlette.types import Receive, Scope

from saasus_mcp.common.json_bytes import encode_json
from saasus_mcp.hosting.auth.profile_access import ServedProfile
from saasus_mcp.hosting.plain_exchange import CALL_METHOD, JSON_TYPE, PROGRESS, PlainExchange
from saasus_mcp.hosting.raw_headers import decode_headers
from saasus_mcp.hosting.sessions.client_session import ClientSession
from saasus_mcp.hosting.sessions.exchange import digest_request_id
from saasus_mcp.permissions.policy.presets import PresetPolicy, unwrap_policy
from saasus_mcp.saasus.deadline import CALL_SECONDS
from saasus_mcp.store.mailboxes import Mailbox

STREAM_TYPE = "text/event-stream"
CANCELLED_ERROR: Mapping[str, Any] = {"code": REQUEST_CANCELLED, "message": "Request cancelled"}
"""The error with which the SDK ends the stream of a cancelled request."""


class SessionRead(PlainExchange):
    """A read in progress. Its client can cancel it through any replica, and is asked nothing."""

    def __init__(self, session: ClientSession, request_id: int | str, scope: Scope, receive: Receive) -> None:
        super().__init__(request_id, decode_headers(scope), scope, receive)
        self.id = secrets.token_hex(16)
        self.session = session
        self.started_at = anyio.current_time()
        self._work = anyio.CancelScope()

    @property
    def mailbox(self) -> Mailbox:
        """Where another replica puts the cancellation."""
        return Mailbox(self.id, self.session.key, digest_request_id(self.request_id))

    def expects(self, number: int) -> bool:
        """Return False: no question is open."""
        return False

    async def answer(self, number: int, message: Mapping[str, Any]) -> bool:
        """Return False: no question is open."""
        return False

    async def end_questions(self, reason: str) -> None:
        """Do nothing: no question is open."""

    async def cancel(self) -> None:
        """End the read, as its client demands."""
        self.cancel_requested.set()
        self._work.cancel()

    async def run(self, server: Server[Any], lifespan: Any, request: JSONRPCRequest) -> Response:
        """Return the response: the answer, or the error of a request that its client has cancelled."""
        session = self.session
        outcome: dict[str, Any] = {"error": CANCELLED_ERROR}
        connection = Connection.from_envelope(session.protocol_version, None, session.capabilities)
        with self._work:
            told = await self.respond(ServerRunner(server, connection, lifespan), request)
            if "error" in told or not self.cancel_requested.is_set():
                outcome = told
        content = encode_json({"jsonrpc": request.jsonrpc, "id": request.id, **outcome})
        headers = {"mcp-session-id": session.id}
        if self.cancel_requested.is_set():
            # As an event: the SDK's client fails at plain JSON that comes while it closes.
            return Response(b"event: message\r\ndata: " + content + b"\r\n\r\n", HTTPStatus.OK, headers, STREAM_TYPE)
        return Response(content, HTTPStatus.OK, headers, JSON_TYPE)


class ReadRecognizer:
    """Recognizes reads of one profile that end soon, and about which no person can be asked."""

    def __init__(self, profile: ServedProfile) -> None:
        self._pipeline = profile.pipeline

    def is_short(self, request: JSONRPCRequest, session: ClientSession, scope: Scope, body: bytes) -> bool:
        """Return whether a valid request of a session is such a read, and has the usual form.

        What has another form is left to the SDK, so that what is wrong is said in one place.
        """
        name = (request.params or {}).get("name")
        if request.method != CALL_METHOD or not isinstance(name, str) or PROGRESS in body:
            return False
        operation = self._pipeline.catalogue.get(name)
        if operation is None or not operation.reads or self._pipeline.call_seconds > CALL_SECONDS:
            return False
        policy = unwrap_policy(self._pipeline.policy)
        is_allowed = isinstance(policy, PresetPolicy) and policy.by_level.get(operation.level) == "allow"
        return (is_allowed or "elicitation" not in session.capabilities) and _has_usual_headers(scope)


def _has_usual_headers(scope: Scope) -> bool:
    """Return whether no header is sent twice, and the client sends JSON and takes both JSON and a stream."""
    headers = dict(scope["headers"])
    accepted = headers.get(b"accept", b"").replace(b" ", b"").split(b",")
    is_json = headers.get(b"content-type", b"").lower() in _JSON_TYPES
    return (
        len(headers) == len(scope["headers"]) and is_json and {JSON_TYPE.encode(), STREAM_TYPE.encode()} <= {*accepted}
    )


_JSON_TYPES = (b"application/json", b"application/json; charset=utf-8", b"application/json;charset=utf-8")
