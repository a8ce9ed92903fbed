"""The answers to the handshake and to the first `tools/list`, from precomputed bytes.

The SDK takes longer to load than everything else before the list of tools. After the early answers, the SDK takes over the pipes
and replays the start of the conversation.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from saasus_mcp.server.apps.extension import declares_apps
from saasus_mcp.server.stdio.early.precomputed import PrecomputedResponses
from saasus_mcp.server.stdio.jsonrpc_parser import UnparsableLine, parse_json
from saasus_mcp.server.stdio.line_splitter import Line, OversizedLine
from saasus_mcp.server.stdio.pipe_transport import PipeTransport

STATELESS_PROTOCOL = "2026-07-28"
META_KEY_PREFIX = "io.modelcontextprotocol/"
MAX_ID_LENGTH, MAX_ID = 64, 2**53
MAX_EARLY_LINE_BYTES = 64 * 1024
"""Bytes of a message that is answered here. The first messages are far shorter."""
REPLAY_ID = f"begun-{secrets.token_hex(8)}"
"""The id of the replayed request. Its answer is discarded, because the client has it already."""


class EarlyResponder:
    """The start of one conversation, up to the list of tools.

    Attributes:
        replayed_lines: the lines that tell the SDK about it.
        is_finished: whether the tools were listed.
    """

    def __init__(self, responses: PrecomputedResponses) -> None:
        self._responses = responses
        self._is_earlier = self._is_stateless = self._apps = False
        self.replayed_lines: list[Line] = []
        self.is_finished = False

    def respond(self, line: Line) -> bytes | None:
        """Return the answer to a line; empty if it needs none, None if the SDK must answer this line and all later ones."""
        message = _message(line)
        if message is None:
            return None
        if message == {"jsonrpc": "2.0", "method": "notifications/initialized"} and self._is_earlier:
            self.replayed_lines.append(line)
            return b""
        result = self._result(message) if _is_request(message) else None
        return (
            None
            if result is None
            else f'{{"jsonrpc":"2.0","id":{json.dumps(message["id"])},"result":{result}}}\n'.encode()
        )

    def _result(self, message: dict[str, Any]) -> str | None:
        method, params = message["method"], message.get("params", {})
        if method == "initialize":
            return self._initialize_result(message, params)
        if self._is_earlier:
            return self._earlier_result(method, params)
        if method not in ("server/discover", "tools/list") or not _is_envelope(params):
            return None
        if not self._is_stateless:
            # The first request, whatever it is, decides the protocol of the connection and nothing else.
            self._is_stateless = True
            self.replayed_lines.append(
                _line({"jsonrpc": "2.0", "id": REPLAY_ID, "method": "server/discover", "params": params})
            )
        self.is_finished = method == "tools/list"
        apps = _declares_apps(params["_meta"][META_KEY_PREFIX + "clientCapabilities"])
        return (
            self._responses.list_result(apps=apps) if self.is_finished else self._responses.discover_result(apps=apps)
        )

    def _initialize_result(self, message: dict[str, Any], params: dict[str, Any]) -> str | None:
        if self._is_earlier or self._is_stateless or not _is_handshake(params, self._responses):
            return None
        self._is_earlier = True
        self.replayed_lines.append(_line({**message, "id": REPLAY_ID}))
        self._apps = _declares_apps(params["capabilities"])
        return self._responses.initialize_result(params["protocolVersion"], apps=self._apps)

    def _earlier_result(self, method: str, params: dict[str, Any]) -> str | None:
        if method not in ("tools/list", "ping") or not _is_plain(params):
            return None
        self.is_finished = method == "tools/list"
        return self._responses.list_result(earlier=True, apps=self._apps) if self.is_finished else "{}"


def respond_early(transport: PipeTransport, responses: PrecomputedResponses) -> bool:
    """Answer the first requests. Return False if the client went away; else the SDK takes over the transport."""
    responder = EarlyResponder(responses)
    while not responder.is_finished:
        line = transport.read_line()
        if line is None:
            return False
        response = responder.respond(line)
        if response is None:
            responder.replayed_lines.append(line)
            break
        try:
            transport.write_blocking(response)
        except BrokenPipeError:
            return False
    transport.push_back(responder.replayed_lines, REPLAY_ID)
    return True


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def _message(line: Line) -> dict[str, Any] | None:
    """Return the message of a line, or None if it cannot be answered here."""
    if isinstance(line, OversizedLine) or len(line) > MAX_EARLY_LINE_BYTES:
        return None
    try:
        message = parse_json(line)
    except UnparsableLine:
        return None
    return message if isinstance(message, dict) and message.get("jsonrpc") == "2.0" else None


def _is_request(message: dict[str, Any]) -> bool:
    """Return whether the message is a request with an id that every serializer writes alike."""
    known = message.keys() <= {"jsonrpc", "id", "method", "params"}
    return known and _is_id(message.get("id")) and isinstance(message.get("params", {}), dict)


def _is_id(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_ID_LENGTH and value.isascii() and value.isprintable()
    return type(value) is int and abs(value) < MAX_ID


def _is_handshake(params: dict[str, Any], responses: PrecomputedResponses) -> bool:
    return (
        params.keys() == {"protocolVersion", "capabilities", "clientInfo"}
        and isinstance(params["protocolVersion"], str)
        and params["protocolVersion"] in responses.versions
        and _are_capabilities(params["capabilities"])
        and _is_implementation(params["clientInfo"])
    )


def _is_envelope(params: dict[str, Any]) -> bool:
    """Return whether the params of a 2026-07-28 request are complete and ask for no particular page."""
    meta = params.get("_meta")
    return (
        params.keys() == {"_meta"}
        and isinstance(meta, dict)
        and meta.keys()
        <= {
            META_KEY_PREFIX + "protocolVersion",
            META_KEY_PREFIX + "clientCapabilities",
            META_KEY_PREFIX + "clientInfo",
            "progressToken",
        }
        and meta.get(META_KEY_PREFIX + "protocolVersion") == STATELESS_PROTOCOL
        and _are_capabilities(meta.get(META_KEY_PREFIX + "clientCapabilities"))
        and _is_implementation(meta.get(META_KEY_PREFIX + "clientInfo"))
        and _is_id(meta.get("progressToken", 0))
    )


def _is_plain(params: dict[str, Any]) -> bool:
    """Return whether the params of an earlier protocol contain nothing but a progress token."""
    meta = params.get("_meta", {})
    return (
        params.keys() <= {"_meta"}
        and isinstance(meta, dict)
        and meta.keys() <= {"progressToken"}
        and _is_id(meta.get("progressToken", 0))
    )


def _are_capabilities(value: Any) -> bool:
    """Return whether a client's capabilities have their declared types. Undeclared ones may be anything."""
    if not isinstance(value, dict) or "tasks" in value:
        return False
    roots = value.get("roots", {})
    maps = [value.get(name, {}) for name in ("sampling", "elicitation", "experimental", "extensions")]
    return (
        isinstance(roots, dict)
        and isinstance(roots.get("listChanged", True), bool)
        and all(isinstance(each, dict) and all(isinstance(item, dict) for item in each.values()) for each in maps)
    )


def _declares_apps(capabilities: dict[str, Any]) -> bool:
    return declares_apps(capabilities.get("extensions"))


def _is_implementation(value: Any) -> bool:
    texts = ("name", "version", "title", "description", "websiteUrl")
    return (
        isinstance(value, dict)
        and {"name", "version"} <= value.keys() <= {*texts}
        and all(isinstance(text, str) for text in value.values())
    )
