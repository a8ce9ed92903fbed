"""A request or notification of the client, as the SDK's server sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import anyio
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import NoBackChannelError
from mcp.shared.jsonrpc_dispatcher import progress_token_from_params
from mcp.shared.transport_context import TransportContext
from mcp.types import RequestId

if TYPE_CHECKING:
    from saasus_mcp.server.stdio.dispatcher import StdioDispatcher


class ClientMessage:
    """A message in progress (the SDK's `DispatchContext`).

    Args:
        request_id: None for a notification.

    Attributes:
        scope: the work on the message runs in it.
        is_cancelled: whether the client cancelled the request, which gets no answer then.
        is_handled: whether the work is done, after which nothing is sent.
    """

    message_metadata = None
    is_cancelled = is_handled = False
    _cancel_requested: anyio.Event | None = None

    def __init__(
        self, of: StdioDispatcher, method: str, params: Mapping[str, Any] | None, request_id: RequestId | None = None
    ) -> None:
        self._dispatcher, self.method, self.params, self.request_id = of, method, params, request_id
        self.scope = anyio.CancelScope()

    @property
    def transport(self) -> TransportContext:
        """What the message arrived on."""
        return TransportContext(kind="stdio", can_send_request=self._dispatcher.can_send_request)

    @property
    def can_send_request(self) -> bool:
        """Whether the client can be asked meanwhile."""
        return self._dispatcher.can_send_request and not self.is_handled

    @property
    def cancel_requested(self) -> anyio.Event:
        """An event that is set when the client cancels the request. Few calls ask for it."""
        if self._cancel_requested is None:
            self._cancel_requested = anyio.Event()
            if self.is_cancelled:
                self._cancel_requested.set()
        return self._cancel_requested

    def cancel(self) -> None:
        """Stop the work on the request, because its client does not wait for it."""
        self.is_cancelled = True
        if self._cancel_requested is not None:
            self._cancel_requested.set()
        self.scope.cancel()

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        """Ask the client, and return its result.

        Raises:
            MCPError: the client cannot be asked, answered with an error, or has gone.
        """
        if not self.can_send_request:
            raise NoBackChannelError(method)
        return await self._dispatcher.send_raw_request(method, params, opts)

    async def notify(self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None) -> None:
        """Send a notification about the message."""
        if not self.is_handled:
            await self._dispatcher.notify(method, params, opts)

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Report progress, if the client asked for it."""
        params = {"progressToken": progress_token_from_params(self.params), "progress": progress}
        if params["progressToken"] is not None:
            params |= {} if total is None else {"total": total}
            await self.notify("notifications/progress", params if message is None else {**params, "message": message})
