"""JSON-RPC on stdio: the messages of a line, or the faults in them. It knows neither the SDK nor the pipe.

The revisions of MCP differ: 2025-03-26 requires batches, without `initialize` in them; 2024-11-05 has no batch in its schema, and
2025-06-18 removed them. In all of them an id is a string or an integer, and never null.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from saasus_mcp.common.json_bounds import find_excess
from saasus_mcp.common.json_members import MAX_SHOWN_NAME, RepeatedMember, unique_members
from saasus_mcp.server.stdio.jsonrpc_envelope import EMPTY_ENVELOPE, Envelope, envelope_of, scan_envelopes, usable_id
from saasus_mcp.server.stdio.line_splitter import MAX_LINE_BYTES, Line, OversizedLine

PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS = -32700, -32600, -32602
BATCH_PROTOCOL = "2025-03-26"
"""The only revision of MCP with batches."""
BYTE_ORDER_MARK = "\ufeff"
SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
TOO_LONG = f"The message is longer than {MAX_LINE_BYTES // 1024 // 1024} MiB. Send less at a time."
WRONG_ID = "The member `id` must be a string or an integer."
LSP_HEADERS = (b"content-length:", b"content-type:")

ParsedMessage = dict[str, Any]


@dataclass(frozen=True, slots=True)
class InvalidMessage:
    """A fault that makes a message invalid.

    Attributes:
        code: of the JSON-RPC error.
        reason: the fault and its fix. It repeats nothing that was sent.
        path: the invalid member. The client chose the names in it.
    """

    envelope: Envelope
    code: int
    reason: str
    path: str = ""

    @property
    def message(self) -> str:
        """The text for the client, which knows the names already."""
        return f"{self.path}: {self.reason}" if self.path else self.reason


class UnparsableLine(ValueError):
    """The line is not one JSON value, or it is too large."""

    def __init__(self, code: int, reason: str, path: str = "") -> None:
        super().__init__(reason)
        self.code, self.reason, self.path = code, reason, path

    def to_invalid_message(self, of: Envelope) -> InvalidMessage:
        return InvalidMessage(of, self.code, self.reason, self.path)


def parse_line(line: Line, revision: str | None) -> list[ParsedMessage | InvalidMessage]:
    """Return the messages of a line: one entry for a message, or one for each message of a batch.

    Args:
        revision: of MCP, as the client requested it. None before the request.
    """
    try:
        value = parse_json(line)
    except UnparsableLine as error:
        return _answerable(
            [error.to_invalid_message(each) for each in scan_envelopes(line)]
            or [error.to_invalid_message(EMPTY_ENVELOPE)]
        )
    return _batch(value, revision) if isinstance(value, list) else [check_message(value)]


def parse_json(line: Line) -> Any:
    """Return the JSON value of a line. A byte order mark is skipped.

    Raises:
        UnparsableLine: the line is not JSON in UTF-8, is too large, has a duplicate member or text that is not Unicode.
    """
    too_much = TOO_LONG if isinstance(line, OversizedLine) or len(line) > MAX_LINE_BYTES else find_excess(line)
    if too_much is not None or isinstance(line, OversizedLine):
        raise UnparsableLine(INVALID_REQUEST, str(too_much or TOO_LONG))
    try:
        text, is_utf8 = line.decode("utf-8"), True
    except UnicodeDecodeError:
        text, is_utf8 = line.decode("utf-8", "surrogateescape"), False
    try:
        value = _DECODER.decode(text.removeprefix(BYTE_ORDER_MARK))
    except RepeatedMember as error:  # another reader may take the other value
        reason = "An object has this member twice. Send it once."
        raise UnparsableLine(INVALID_REQUEST, reason, _shown(error.name)) from None
    except json.JSONDecodeError as error:
        raise UnparsableLine(PARSE_ERROR, _not_json(line, error, is_utf8=is_utf8)) from None
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, UnparsableLine) else UnparsableLine(PARSE_ERROR, _TOO_LARGE) from None
    if not is_utf8 or SURROGATE_ESCAPE.search(line):
        _check_text(value, (), is_utf8=is_utf8)
    return value


_TOO_LARGE = "The message contains a number with too many digits. Send it as text."


def _not_json(line: bytes, error: json.JSONDecodeError, *, is_utf8: bool) -> str:
    if not line.strip():
        return "The line is empty. Send one JSON-RPC message per line."
    if line.lower().startswith(LSP_HEADERS):
        return (
            "The line is a header in the style of language servers. Send one JSON-RPC message per line without headers."
        )
    encoding = "" if is_utf8 else " in UTF-8"
    return f"The message is not JSON{encoding}: {error.msg[:MAX_SHOWN_NAME]} at character {error.pos + 1}."


def _no_number(_: str) -> Any:
    raise UnparsableLine(
        PARSE_ERROR, "The message contains NaN or Infinity, which are not valid JSON. Send a number or omit it."
    )


_DECODER = json.JSONDecoder(object_pairs_hook=unique_members, parse_constant=_no_number)


def _check_text(value: Any, place: tuple[str, ...], *, is_utf8: bool) -> None:
    """Check that each string is Unicode. The depth of a message was limited before.

    Raises:
        UnparsableLine: a string contains a lone surrogate, or bytes that are not UTF-8.
    """
    if isinstance(value, str):
        if LONE_SURROGATE.search(value):
            what = "a lone surrogate (half of a character)" if is_utf8 else "bytes that are not UTF-8"
            code = INVALID_PARAMS if place[:1] == ("params",) else INVALID_REQUEST
            raise UnparsableLine(code, f"The text contains {what}. Send complete characters in UTF-8.", ".".join(place))
    elif isinstance(value, dict):
        for name, inner in value.items():
            _check_text(name, (*place, _shown(name)), is_utf8=is_utf8)
            _check_text(inner, (*place, _shown(name)), is_utf8=is_utf8)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _check_text(inner, (*place, str(index)), is_utf8=is_utf8)


def _shown(name: str) -> str:
    return LONE_SURROGATE.sub("\ufffd", name[:MAX_SHOWN_NAME])


def _batch(values: list[Any], revision: str | None) -> list[ParsedMessage | InvalidMessage]:
    if not values:
        return [
            InvalidMessage(EMPTY_ENVELOPE, INVALID_REQUEST, "The batch is empty. Send one JSON-RPC message per line.")
        ]
    if revision == BATCH_PROTOCOL:
        return [_in_batch(each) for each in values]
    why = (
        f"JSON-RPC batches exist only in MCP {BATCH_PROTOCOL}, and this connection uses {_describe_revision(revision)}. "
        "Send each message on its own line."
    )
    return _answerable([InvalidMessage(envelope_of(each), INVALID_REQUEST, why) for each in values])


def _describe_revision(revision: str | None) -> str:
    return "another revision" if revision else "none before `initialize`"


def _in_batch(value: Any) -> ParsedMessage | InvalidMessage:
    checked = check_message(value)
    if isinstance(checked, dict) and checked.get("method") == "initialize":
        return InvalidMessage(
            envelope_of(value), INVALID_REQUEST, "`initialize` must not be part of a batch. Send it alone, first."
        )
    return checked


def _answerable(faults: Iterable[InvalidMessage]) -> list[ParsedMessage | InvalidMessage]:
    """Return the faults that a sender waits for, or the first fault."""
    every = list(faults)
    return [*(each for each in every if each.envelope.has_id)] or [every[0]]


def check_message(value: Any) -> ParsedMessage | InvalidMessage:
    """Return the message, with an id of the type that the SDK accepts, or its fault."""
    fault = _find_fault(value)
    if fault is not None:
        return InvalidMessage(envelope_of(value), *fault)
    message: ParsedMessage = value
    return {**message, "id": int(message["id"])} if isinstance(message.get("id"), float) else message


def _find_fault(value: Any) -> tuple[int, str] | None:
    """Return the code and the reason of a fault in a message's own members."""
    if not isinstance(value, dict):
        return INVALID_REQUEST, "The message is not a JSON object. Send one JSON-RPC message per line."
    if value.get("jsonrpc") != "2.0":
        return INVALID_REQUEST, 'The member `jsonrpc` must be "2.0".'
    if "id" in value and not isinstance(usable_id(value["id"]), str | int):
        return INVALID_REQUEST, WRONG_ID
    return _response(value) if "method" not in value and ("result" in value or "error" in value) else _call(value)


def _call(value: ParsedMessage) -> tuple[int, str] | None:
    if not isinstance(value.get("method"), str):
        return INVALID_REQUEST, "The member `method` must be a string, the name of a method."
    if "result" in value or "error" in value:
        return INVALID_REQUEST, "A request has no `result` and no `error`. Leave them out."
    if not isinstance(value.get("params"), dict | None):
        return INVALID_PARAMS, "The member `params` must be an object."
    return None


def _response(value: ParsedMessage) -> tuple[int, str] | None:
    error = value.get("error")
    if "id" not in value:
        return INVALID_REQUEST, "A response must have the `id` of the request that it answers."
    if "result" in value and "error" in value:
        return INVALID_REQUEST, "A response has either `result` or `error`. Leave one of them out."
    if "result" in value:
        return (
            None if isinstance(value["result"], dict) else (INVALID_REQUEST, "The member `result` must be an object.")
        )
    if not isinstance(error, dict) or type(error.get("code")) is not int or not isinstance(error.get("message"), str):
        return INVALID_REQUEST, "The member `error` must be an object with an integer `code` and a text `message`."
    return None
