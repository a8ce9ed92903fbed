"""JSON-RPC on stdio: the messages of a line, or what is wrong with them. Knows nothing of the SDK, nor of the pipe.

Where revisions of MCP differ: 2025-03-26 demands that batches are received, with no `initialize` in them; 2024-11-05 has no
batch in its schema, and 2025-06-18 removed them. An id is a string or an integer, and never null, in all of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from saasus_mcp.common.json_bounds import find_excess
from saasus_mcp.server.stdio.jsonrpc_envelope import EMPTY_ENVELOPE, Envelope, envelope_of, scan_envelopes
from saasus_mcp.server.stdio.line_splitter import MAX_LINE_BYTES, Line, OversizedLine

PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS = -32700, -32600, -32602
BATCH_PROTOCOL = "2025-03-26"
"""The one revision of MCP that has batches."""
BYTE_ORDER_MARK = "\ufeff"
SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
MAX_SHOWN_NAME = 64
"""Characters of a member's name that an error repeats."""
TOO_LONG = f"The message is longer than {MAX_LINE_BYTES // 1024 // 1024} MiB. Send less at a time."
LSP_HEADERS = (b"content-length:", b"content-type:")

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class InvalidMessage:
    """Why something is no message.

    Attributes:
        code: of the JSON-RPC error that says so.
        why: what is wrong and what to do; it repeats nothing that was sent.
        place: the member that is wrong, by its path from the message on; the client chose the names in it.
    """

    envelope: Envelope
    code: int
    reason: str
    path: str = ""

    @property
    def message(self) -> str:
        """For the client, which knows the names already."""
        return f"{self.path}: {self.reason}" if self.path else self.reason


class UnparsableLine(ValueError):
    """A line that holds no JSON value, or more than is read."""

    def __init__(self, code: int, why: str, place: str = "") -> None:
        super().__init__(why)
        self.code, self.why, self.place = code, why, place

    def to_invalid_message(self, of: Envelope) -> InvalidMessage:
        """This, as the fault of a message."""
        return InvalidMessage(of, self.code, self.why, self.place)


def parse_line(line: Line, revision: str | None) -> list[Message | InvalidMessage]:
    """What a line holds: one entry for a message, and for each message of a batch.

    Args:
        revision: of MCP, as the client asked for it; None before it did.
    """
    try:
        value = parse_json(line)
    except UnparsableLine as why:
        return _answerable(
            [why.to_invalid_message(each) for each in scan_envelopes(line)] or [why.to_invalid_message(EMPTY_ENVELOPE)]
        )
    return _batch(value, revision) if isinstance(value, list) else [_checked(value)]


def parse_json(line: Line) -> Any:
    """The JSON value of a line. A byte order mark before it is skipped.

    Raises:
        Unreadable: it is not JSON in UTF-8, is too much to parse, is ambiguous, or has text that is no Unicode.
    """
    too_much = TOO_LONG if isinstance(line, OversizedLine) or len(line) > MAX_LINE_BYTES else find_excess(line)
    if too_much is not None or isinstance(line, OversizedLine):
        raise UnparsableLine(INVALID_REQUEST, str(too_much or TOO_LONG))
    try:
        text, is_utf8 = line.decode("utf-8"), True
    except UnicodeDecodeError:
        text, is_utf8 = line.decode("utf-8", "surrogateescape"), False
    try:
        value = json.loads(text.removeprefix(BYTE_ORDER_MARK), object_pairs_hook=_members, parse_constant=_no_number)
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


def _members(pairs: list[tuple[str, Any]]) -> Message:
    """An object.

    Raises:
        Unreadable: it names a member twice: of two values, others may take the other one.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise UnparsableLine(INVALID_REQUEST, "An object has this member twice. Send it once.", _shown(twice))
    return found


def _no_number(_: str) -> Any:
    raise UnparsableLine(
        PARSE_ERROR, "The message contains NaN or Infinity, which are not valid JSON. Send a number or omit it."
    )


def _check_text(value: Any, place: tuple[str, ...], *, is_utf8: bool) -> None:
    """See that every string is Unicode. The depth of a message is limited before it is parsed.

    Raises:
        Unreadable: one holds half of a surrogate pair, or bytes that are not UTF-8.
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


def _batch(values: list[Any], revision: str | None) -> list[Message | InvalidMessage]:
    if not values:
        return [
            InvalidMessage(EMPTY_ENVELOPE, INVALID_REQUEST, "The batch is empty. Send one JSON-RPC message per line.")
        ]
    if revision == BATCH_PROTOCOL:
        return [_in_batch(each) for each in values]
    why = (
        f"JSON-RPC batches exist only in MCP {BATCH_PROTOCOL}, and this connection uses {_spoken(revision)}. "
        "Send each message on its own line."
    )
    return _answerable([InvalidMessage(envelope_of(each), INVALID_REQUEST, why) for each in values])


def _spoken(revision: str | None) -> str:
    return "another revision" if revision else "none before `initialize`"


def _in_batch(value: Any) -> Message | InvalidMessage:
    checked = _checked(value)
    if isinstance(checked, dict) and checked.get("method") == "initialize":
        return InvalidMessage(
            envelope_of(value), INVALID_REQUEST, "`initialize` must not be part of a batch. Send it alone, first."
        )
    return checked


def _answerable(faults: Iterable[InvalidMessage]) -> list[Message | InvalidMessage]:
    """The faults that somebody waits to hear of; where there are none, the first."""
    every = list(faults)
    return [*(each for each in every if each.envelope.has_id)] or [every[0]]


def _checked(value: Any) -> Message | InvalidMessage:
    """The message, with an id of the type that the SDK takes."""
    found = envelope_of(value)
    if not isinstance(value, dict):
        return InvalidMessage(
            found, INVALID_REQUEST, "The message is not a JSON object. Send one JSON-RPC message per line."
        )
    wrong = _shape(value, found)
    if wrong is not None:
        return InvalidMessage(found, *wrong)
    return {**value, "id": found.id} if isinstance(value.get("id"), float) else value


def _shape(value: Message, found: Envelope) -> tuple[int, str] | None:
    """The code and the reason of what is wrong with a message's own members."""
    if value.get("jsonrpc") != "2.0":
        return INVALID_REQUEST, 'The member `jsonrpc` must be "2.0".'
    if found.has_id and not isinstance(found.id, str | int):
        return INVALID_REQUEST, "The member `id` must be a string or an integer."
    return _response(value, found) if found.is_response else _call(value)


def _call(value: Message) -> tuple[int, str] | None:
    if not isinstance(value.get("method"), str):
        return INVALID_REQUEST, "The member `method` must be a string, the name of a method."
    if "result" in value or "error" in value:
        return INVALID_REQUEST, "A request has no `result` and no `error`. Leave them out."
    if not isinstance(value.get("params"), dict | None):
        return INVALID_PARAMS, "The member `params` must be an object."
    return None


def _response(value: Message, found: Envelope) -> tuple[int, str] | None:
    error = value.get("error")
    if not found.has_id:
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
