"""The first answers on stdio, before the SDK is loaded: those that a client waits for when it starts, from ready bytes.

Loading the SDK takes longer than everything else on the way to the list of tools. So what is ready is answered first; then
the SDK takes the pipes over, is told how the conversation began, and answers all the rest. What is answered here is what
the SDK would answer, byte for byte; what is not exactly understood is left to it.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from saasus_mcp.server.stdio.early.precomputed import PrecomputedResponses
from saasus_mcp.server.stdio.jsonrpc_parser import UnparsableLine, parse_json
from saasus_mcp.server.stdio.line_splitter import Line, OversizedLine
from saasus_mcp.server.stdio.pipe_transport import PipeTransport

STATELESS_PROTOCOL = "2026-07-28"
META_KEY_PREFIX = "io.modelcontextprotocol/"
MAX_ID_LENGTH, MAX_ID = 64, 2**53
MAX_EARLY_LINE_BYTES = 64 * 1024
"""Bytes of a message that may be answered here. What begins a conversation is far shorter."""
REPLAY_ID = f"begun-{secrets.token_hex(8)}"
"""Id of the request that tells the SDK how the conversation began; its answer was already given."""


class EarlyResponder:
    """One conversation, up to the list of tools.

    Attributes:
        begun: the lines that tell the SDK of it.
        over: whether the tools were listed: the client has what it started for.
    """

    def __init__(self, ready: PrecomputedResponses) -> None:
        self._ready = ready
        self._before = self._modern = False
        self.replayed_lines: list[Line] = []
        self.is_finished = False

    def respond(self, line: Line) -> bytes | None:
        """The answer to a line, empty where it takes none; None where it is for the SDK, as is all that follows."""
        message = _message(line)
        if message is None:
            return None
        if message == {"jsonrpc": "2.0", "method": "notifications/initialized"} and self._before:
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
            return self._initialized(message, params)
        if self._before:
            return self._result_before(method, params)
        if method not in ("server/discover", "tools/list") or not _is_envelope(params):
            return None
        if not self._modern:
            # Whatever came first: what it was decides the era of the connection, and nothing else.
            self._modern = True
            self.replayed_lines.append(
                _line({"jsonrpc": "2.0", "id": REPLAY_ID, "method": "server/discover", "params": params})
            )
        self.is_finished = method == "tools/list"
        return self._ready.list_result if self.is_finished else self._ready.discover_result

    def _initialized(self, message: dict[str, Any], params: dict[str, Any]) -> str | None:
        if self._before or self._modern or not _is_handshake(params, self._ready):
            return None
        self._before = True
        self.replayed_lines.append(_line({**message, "id": REPLAY_ID}))
        return self._ready.initialize_result(params["protocolVersion"])

    def _result_before(self, method: str, params: dict[str, Any]) -> str | None:
        if method not in ("tools/list", "ping") or not _is_plain(params):
            return None
        self.is_finished = method == "tools/list"
        return self._ready.earlier_list_result if self.is_finished else "{}"


def respond_early(wire: PipeTransport, ready: PrecomputedResponses) -> bool:
    """Answer what is ready. False where the client went away meanwhile; else the wire is the SDK's."""
    front = EarlyResponder(ready)
    while not front.is_finished:
        line = wire.read_line()
        if line is None:
            return False
        said = front.respond(line)
        if said is None:
            front.replayed_lines.append(line)
            break
        try:
            wire.write_blocking(said)
        except BrokenPipeError:
            return False
    wire.push_back(front.replayed_lines, REPLAY_ID)
    return True


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def _message(line: Line) -> dict[str, Any] | None:
    """The message of a line; None where it is none that can be answered here."""
    if isinstance(line, OversizedLine) or len(line) > MAX_EARLY_LINE_BYTES:
        return None
    try:
        message = parse_json(line)
    except UnparsableLine:
        return None
    return message if isinstance(message, dict) and message.get("jsonrpc") == "2.0" else None


def _is_request(message: dict[str, Any]) -> bool:
    """Whether it is a request with an id that reads the same however it is written."""
    known = message.keys() <= {"jsonrpc", "id", "method", "params"}
    return known and _is_id(message.get("id")) and isinstance(message.get("params", {}), dict)


def _is_id(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_ID_LENGTH and value.isascii() and value.isprintable()
    return type(value) is int and abs(value) < MAX_ID


def _is_handshake(params: dict[str, Any], ready: PrecomputedResponses) -> bool:
    return (
        params.keys() == {"protocolVersion", "capabilities", "clientInfo"}
        and isinstance(params["protocolVersion"], str)
        and params["protocolVersion"] in ready.versions
        and _are_capabilities(params["capabilities"])
        and _is_implementation(params["clientInfo"])
    )


def _is_envelope(params: dict[str, Any]) -> bool:
    """Whether a request of 2026-07-28 brings what each must bring, and asks for no particular page."""
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
    """Whether a request of an earlier protocol says nothing but, perhaps, where progress is to be told."""
    meta = params.get("_meta", {})
    return (
        params.keys() <= {"_meta"}
        and isinstance(meta, dict)
        and meta.keys() <= {"progressToken"}
        and _is_id(meta.get("progressToken", 0))
    )


def _are_capabilities(value: Any) -> bool:
    """Whether a client's capabilities are of their declared types; those that are not declared may be anything."""
    if not isinstance(value, dict) or "tasks" in value:
        return False
    roots = value.get("roots", {})
    maps = [value.get(name, {}) for name in ("sampling", "elicitation", "experimental", "extensions")]
    return (
        isinstance(roots, dict)
        and isinstance(roots.get("listChanged", True), bool)
        and all(isinstance(each, dict) and all(isinstance(item, dict) for item in each.values()) for each in maps)
    )


def _is_implementation(value: Any) -> bool:
    texts = ("name", "version", "title", "description", "websiteUrl")
    return (
        isinstance(value, dict)
        and {"name", "version"} <= value.keys() <= {*texts}
        and all(isinstance(text, str) for text in value.values())
    )
