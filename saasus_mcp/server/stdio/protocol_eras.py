"""The two eras of the protocol on stdio: with a handshake until 2025-11-25, and with an envelope in each request since 2026-07-28.

The first request of a client decides on the era of its connection. A request of the other era is refused from then on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any

from mcp.server.connection import Connection, NotifyOnlyOutbound
from mcp.server.lowlevel import Server
from mcp.server.runner import ServerRunner
from mcp.shared.dispatcher import DispatchContext
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import InboundLadderRejection, classify_inbound_request
from mcp.shared.transport_context import TransportContext
from mcp.types import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    INVALID_REQUEST,
    PROTOCOL_VERSION_META_KEY,
    UNSUPPORTED_PROTOCOL_VERSION,
)
from mcp_types.version import LATEST_MODERN_VERSION, MODERN_PROTOCOL_VERSIONS

from saasus_mcp.server.stdio.dispatcher import StdioDispatcher

ENVELOPE_KEYS = (PROTOCOL_VERSION_META_KEY, CLIENT_INFO_META_KEY, CLIENT_CAPABILITIES_META_KEY)
HAS_HANDSHAKE = "this connection serves the handshake protocol era; requests carrying the 2026-07-28 envelope are not accepted on it"
HAS_NO_HANDSHAKE = "connection is serving the 2026-07-28 protocol; the initialize handshake is not accepted"

MessageContext = DispatchContext[TransportContext]
Params = Mapping[str, Any] | None


async def serve(server: Server[Any], dispatcher: StdioDispatcher) -> None:
    """Serve a client until it ends its input."""
    async with server.lifespan(server) as lifespan:
        eras = ProtocolEras(server, dispatcher, lifespan)
        await dispatcher.run(eras.on_request, eras.on_notify)


class ProtocolEras:
    """Hands the messages of a connection to the SDK's runner of its era."""

    def __init__(self, server: Server[Any], dispatcher: StdioDispatcher, lifespan: Any) -> None:
        self._server, self._dispatcher, self._lifespan = server, dispatcher, lifespan
        self._runner = self._runner_of(Connection.for_loop(dispatcher))
        self._has_handshake: bool | None = None
        self._envelope: dict[str, Any] | None = None

    def on_request(self, context: MessageContext, method: str, params: Params) -> Awaitable[dict[str, Any]]:
        """Return what the runner makes of a request. Raise MCPError if the request is not one of this era."""
        envelope = _envelope_of(params)
        if self._has_handshake is None:
            self._has_handshake = method == "initialize" or PROTOCOL_VERSION_META_KEY not in envelope
            if not self._has_handshake:
                self._dispatcher.can_send_request = False
                self._runner = self._modern_runner(LATEST_MODERN_VERSION, None, None)
        if not self._has_handshake:
            return self._find_runner(method, params, envelope).on_request(context, method, params)
        if method != "initialize" and PROTOCOL_VERSION_META_KEY in envelope:
            raise MCPError(INVALID_REQUEST, HAS_HANDSHAKE)
        return self._runner.on_request(context, method, params)

    def on_notify(self, context: MessageContext, method: str, params: Params) -> Awaitable[None]:
        """Hand over a notification. Those of the newer era have no envelope."""
        return self._runner.on_notify(context, method, params)

    def _find_runner(self, method: str, params: Params, envelope: dict[str, Any]) -> ServerRunner[Any]:
        """Return the runner of an envelope. A client sends the same one with each request, so that it is read once.

        Raises:
            MCPError: the envelope is missing or not served.
        """
        if method == "initialize":
            asked = (params or {}).get("protocolVersion")
            data = {
                "supported": [*MODERN_PROTOCOL_VERSIONS],
                **({"requested": asked} if isinstance(asked, str) else {}),
            }
            raise MCPError(UNSUPPORTED_PROTOCOL_VERSION, HAS_NO_HANDSHAKE, data)
        if envelope != self._envelope:
            route = classify_inbound_request({"method": method, "params": params})
            if isinstance(route, InboundLadderRejection):
                raise MCPError(route.code, route.message, route.data)
            self._runner = self._modern_runner(route.protocol_version, route.client_info, route.client_capabilities)
            self._envelope = envelope
        return self._runner

    def _modern_runner(self, version: str, client_info: Any, capabilities: Any) -> ServerRunner[Any]:
        outbound = NotifyOnlyOutbound(self._dispatcher)
        return self._runner_of(Connection.from_envelope(version, client_info, capabilities, outbound=outbound))

    def _runner_of(self, connection: Connection) -> ServerRunner[Any]:
        return ServerRunner(self._server, connection, self._lifespan)


def _envelope_of(params: Params) -> dict[str, Any]:
    """Return the members of a request that describe its client."""
    meta = params.get("_meta") if params else None
    return {key: meta[key] for key in ENVELOPE_KEYS if key in meta} if isinstance(meta, Mapping) else {}
