"""Short reads of a protocol without sessions: from the body to the SDK's runner, and the result as plain JSON.

The SDK's own entry would read headers, body and envelope in several passes, and close a connection that holds nothing. A request
that is not of the usual form in every respect is left to it, so that what is wrong is said in one place.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from mcp.server.connection import Connection
from mcp.server.lowlevel import Server
from mcp.server.runner import ServerRunner
from mcp.shared.inbound import (
    ERROR_CODE_HTTP_STATUS,
    MCP_NAME_HEADER,
    MCP_PARAM_HEADER_PREFIX,
    InboundModernRoute,
    classify_inbound_request,
)
from mcp.types import JSONRPCRequest
from pydantic import ValidationError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.json_bytes import encode_json
from saasus_mcp.hosting.plain_exchange import CALL_METHOD, JSON_TYPE, PlainExchange
from saasus_mcp.hosting.raw_headers import decode_headers

PARAM_HEADER = MCP_PARAM_HEADER_PREFIX.lower()


@dataclass(frozen=True, slots=True)
class ShortRead:
    """A valid request for a read, and what its envelope says of the client."""

    request: JSONRPCRequest
    route: InboundModernRoute
    headers: Mapping[str, str]


class ShortReads:
    """Recognizes and answers short reads, while `run` is entered."""

    def __init__(self, server: Server[Any], catalogue: Catalogue) -> None:
        self._server, self._catalogue = server, catalogue
        self._lifespan: Any = None

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Serve requests until the block ends."""
        async with self._server.lifespan(self._server) as self._lifespan:
            yield

    def names_read(self, scope: Scope) -> bool:
        """Return whether the headers of a request name a tool that only reads."""
        names = [value for name, value in scope["headers"] if name == _NAME_HEADER]
        if len(names) != 1 or scope["method"] != "POST":
            return False
        operation = self._catalogue.get(names[0].decode("latin-1"))
        return operation is not None and operation.reads

    def recognize(self, scope: Scope, body: Any) -> ShortRead | None:
        """Return a request whose headers name a read, if it has the usual form.

        Args:
            body: the JSON of the body, in which no object has a field twice.
        """
        headers = decode_headers(scope)
        has_doubts = len(headers) < len(scope["headers"]) or PARAM_HEADER in "\n".join(headers)
        if has_doubts or not _accepts_json(headers) or not isinstance(body, dict) or body.get("method") != CALL_METHOD:
            return None
        route = classify_inbound_request(body, headers=headers)
        if not isinstance(route, InboundModernRoute):
            return None
        try:
            return ShortRead(JSONRPCRequest.model_validate(body), route, headers)
        except ValidationError:
            return None

    async def answer(self, read: ShortRead, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with the status and the body that the SDK would give it."""
        request, route = read.request, read.route
        connection = Connection.from_envelope(route.protocol_version, route.client_info, route.client_capabilities)
        exchange = PlainExchange(request.id, read.headers, scope, receive)
        outcome = await exchange.respond(ServerRunner(self._server, connection, self._lifespan), request)
        code = outcome.get("error", {}).get("code")
        status = HTTPStatus(ERROR_CODE_HTTP_STATUS.get(code, HTTPStatus.OK))
        content = encode_json({"jsonrpc": request.jsonrpc, "id": request.id, **outcome})
        await Response(content, status, media_type=JSON_TYPE)(scope, receive, send)


_NAME_HEADER = MCP_NAME_HEADER.encode()


def _accepts_json(headers: Mapping[str, str]) -> bool:
    """Return whether a client sends JSON and takes it."""
    if not headers.get("content-type", "").lower().startswith(JSON_TYPE):
        return False
    accepted = headers.get("accept", "").replace(" ", "").split(",")
    return JSON_TYPE in accepted or "*/*" in accepted
