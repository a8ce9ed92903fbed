"""The members of a JSON-RPC message that tell how to answer it, even if the rest of the message cannot be read.

The sender of a request waits for an answer under its id. So the id is also searched in lines that are not JSON: in one pass over
strings and brackets, in linear time and without recursion.
"""

from __future__ import annotations

import json
import math
import re
import sys
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from saasus_mcp.server.stdio.line_splitter import Line, OversizedLine

MessageId = str | int | float

MAX_TOKENS = 50_000
"""Strings and brackets to scan before the search continues at the end of the line."""
MAX_NUMBER_LENGTH = sys.int_info.default_max_str_digits
"""Digits of a number that is read as an id: as many as in a message that is JSON."""
MAX_TRAILING_LENGTH = 400
"""Bytes at the end of a line in which the id is searched."""
MAX_EXACT_INTEGER = 2**53
NUMBER = re.compile(rb"-?[0-9][0-9.eE+-]*")
BRACKET = re.compile(rb"[\[\]{}]")
TRAILING_ID = re.compile(rb', ?"id" ?: ?("[^"\\]{0,300}"|-?[0-9]{1,300}) ?\}[\r\n]{0,2}\Z')
"""An id as the last member, where some SDKs write it."""

JsonMembers = dict[bytes, bytes | None]
"""The members of an object by name, with the text of a string or number."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """The known members of a message.

    Attributes:
        id: as an answer can repeat it. None if it is missing or of an invalid type.
        has_id: whether the message has a member `id`, or may have one in an unscanned part.
        is_call: whether it has a member `method`, so that it is a request or a notification.
        is_response: whether it has a member `result` or `error` instead.
    """

    id: MessageId | None = None
    has_id: bool = False
    is_call: bool = False
    is_response: bool = False


EMPTY_ENVELOPE = Envelope()
UNSCANNED_ENVELOPE = Envelope(has_id=True)


def envelope_of(value: Any) -> Envelope:
    """Return the envelope of a parsed message, or an empty one if the value is not an object."""
    if not isinstance(value, dict):
        return EMPTY_ENVELOPE
    is_call = "method" in value
    return Envelope(
        id=usable_id(value.get("id")),
        has_id="id" in value,
        is_call=is_call,
        is_response=not is_call and ("result" in value or "error" in value),
    )


def scan_envelopes(line: Line) -> list[Envelope]:
    """Return the envelopes of the objects in an unparsable line: one message, a batch, or several in a row."""
    head, tail = (line.head, line.tail) if isinstance(line, OversizedLine) else (line, line)
    scan = _Scan(head)
    found = [_read(members) for members in scan.objects]
    if scan.is_complete and isinstance(line, bytes):
        return found
    last = TRAILING_ID.search(tail[-MAX_TRAILING_LENGTH:])
    if len(found) == 1 and not found[0].has_id:
        return [replace(found[0], id=usable_id(_scalar(last[1])) if last else None, has_id=True)]
    return found if len(found) == 1 else [*found, UNSCANNED_ENVELOPE]


class _Scan:
    """The objects of a message or batch. `is_complete`: whether all of the text was scanned."""

    def __init__(self, text: bytes) -> None:
        self.objects: list[JsonMembers] = []
        self.is_complete = True
        self._depth = self._level = self._brackets = 0
        # Without escapes, quotation marks start and end strings. The text between them keeps its offset.
        pieces = text.replace(b"\\\\", b"__").replace(b'\\"', b"__").split(b'"', 2 * MAX_TOKENS)
        at, last, name = 0, b"", b""
        for index, piece in enumerate(pieces[: 2 * MAX_TOKENS]):
            if index % 2 == 0:
                name = self._between(last, piece)
            else:
                last = text[at - 1 : at + len(piece) + 1]
                if name:
                    self.objects[-1][name] = last
            at += len(piece) + 1
            if self._brackets == MAX_TOKENS:
                break
        self.is_complete = len(pieces) <= 2 * MAX_TOKENS and self._brackets < MAX_TOKENS

    def _between(self, string: bytes, piece: bytes) -> bytes:
        """Scan the text after a string. Return the name of the member whose value is the next string, or an empty name."""
        name, value = b"", piece.strip()
        if string and self._depth == self._level and self.objects and value.startswith(b":"):
            name, value = _name(string), value[1:].lstrip()
            number = NUMBER.match(value)
            self.objects[-1][name] = number[0] if number else None
        for bracket in islice(BRACKET.finditer(piece), MAX_TOKENS - self._brackets):
            self._brackets += 1
            self._take(bracket[0])
        return b"" if value else name

    def _take(self, bracket: bytes) -> None:
        if bracket in b"]}":
            self._depth -= 1
            return
        self._level = self._level or (1 if bracket == b"{" else 2)  # the depth of the objects: 2 in a batch
        self._depth += 1
        if self._depth == self._level and bracket == b"{":
            self.objects.append({})


def _name(text: bytes) -> bytes:
    """Return the name of a member, without quotation marks and escapes."""
    if b"\\" in text:
        return str(_scalar(text)).encode("utf-8", "replace")
    return text[1:-1]


def _read(members: JsonMembers) -> Envelope:
    token = members.get(b"id")
    is_call = b"method" in members
    return Envelope(
        id=usable_id(_scalar(token)) if token is not None else None,
        has_id=b"id" in members,
        is_call=is_call,
        is_response=not is_call and (b"result" in members or b"error" in members),
    )


def _scalar(token: bytes) -> Any:
    """Return the value of a string or number, or None if it cannot be read."""
    if not token.startswith(b'"') and len(token) > MAX_NUMBER_LENGTH:
        return None
    try:
        return json.loads(token.decode("utf-8"), strict=False)
    except ValueError:
        return None


def usable_id(value: Any) -> MessageId | None:
    """Return the value as an id that an answer can repeat. A whole number such as 1.0 becomes an integer."""
    if isinstance(value, str) or type(value) is int:
        return value
    if not isinstance(value, float) or not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) <= MAX_EXACT_INTEGER else value
