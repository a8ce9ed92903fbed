"""A request to the SDK's runner whose answer is plain JSON: nothing is sent to the client before it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import anyio
from mcp.server.runner import ServerRunner, modern_error_data
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import NoBackChannelError
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.transport_context import TransportContext
from mcp_types import JSONRPCRequest
from starlette.requests import Request
from starlette.types import Receive, Scope

from saasus_mcp.hosting.limits.answer_pacing import CONNECTION_KEY, HeldConnection
from saasus_mcp.hosting.limits.concurrency import LIFETIME_KEY

JSON_TYPE = "application/json"
CALL_METHOD = "tools/call"
PROGRESS = b"progressToken"


def end_with_client(scope: Scope) -> None:
    """End a request when its client leaves. Nothing else notices it: no message of the client is awaited."""
    connection: HeldConnection | None = scope.get("state", {}).get(CONNECTION_KEY)
    if connection is not None:
        connection.watch(scope[LIFETIME_KEY].end_with_client)


class PlainExchange:
    """A request that is answered once, without a notification before (the SDK's `DispatchContext`)."""

    can_send_request = False

    def __init__(self, request_id: int | str, headers: Mapping[str, str], scope: Scope, receive: Receive) -> None:
        self.request_id, self._headers = request_id, headers
        self.message_metadata = ServerMessageMetadata(request_context=Request(scope, receive))

    @property
    def transport(self) -> TransportContext:
        """What the request arrived on."""
        return TransportContext(kind="streamable-http", can_send_request=False, headers=self._headers)

    @cached_property
    def cancel_requested(self) -> anyio.Event:
        """Set when the client cancels its request. The request of a client that leaves just ends."""
        return anyio.Event()

    async def respond(self, runner: ServerRunner[Any], request: JSONRPCRequest) -> dict[str, Any]:
        """Return the result of a request, or the error that the SDK makes of an exception: `{"result": …}` or `{"error": …}`."""
        try:
            return {"result": await runner.on_request(self, request.method, request.params)}
        except Exception as error:  # noqa: BLE001 - the SDK's own mapping, which logs what it does not expect
            return {"error": modern_error_data(error).model_dump(mode="json", by_alias=True, exclude_none=True)}

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        """Refuse to ask the client."""
        raise NoBackChannelError(method)

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:
        """Send nothing: there is no stream."""

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Report nothing: the client did not ask for progress."""
