"""What JSON text may hold before it is parsed, checked on its raw bytes.

Parsing takes longest where a text holds many small values: 4 MB of `[],[],…` hold a server for seconds and take hundreds
of megabytes, while 4 MB of text in one string take milliseconds. So values are counted here, at the speed of a search.
"""

from __future__ import annotations

MAX_VALUES = 60_000
"""JSON values in all the arguments of a call. The longest list that an operation takes has 10,000 items of five values."""
MAX_CONTAINERS = 20_000
"""Objects and lists in one text. Each takes as long to parse as ten other values."""
MAX_DEPTH = 64

_OPENING, _CLOSING = b"[{", b"]}"
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in _OPENING + _CLOSING)
_BRACKETS = bytes.maketrans(b"[{]}", b"[[]]")


def find_excess(message: bytes) -> str | None:
    """Why a message is not parsed, and how to send less; None where it may be. Linear in its length, without recursion."""
    if b"\0" in message:
        return "The message contains a NUL byte. Send JSON in UTF-8."
    if not _many(message):
        return None
    quotes = _unescaped(message)
    if quotes.count(b'"') > 2 * (2 * MAX_VALUES):  # each value may have a name
        return _too_many()
    outside = b"".join(quotes.split(b'"')[::2])
    if outside.count(b",") + _opened(outside) > MAX_VALUES or _opened(outside) > MAX_CONTAINERS:
        return _too_many()
    if _depth(outside) > MAX_DEPTH:
        return f"The message is nested more than {MAX_DEPTH} levels deep."
    return None


def _many(message: bytes) -> bool:
    """Whether it may hold too much even if nothing of it were text. Most messages do not."""
    opened = _opened(message)
    return opened > MAX_DEPTH or message.count(b",") + opened > MAX_VALUES


def _opened(text: bytes) -> int:
    return text.count(b"[") + text.count(b"{")


def _unescaped(message: bytes) -> bytes:
    """The message without escaped backslashes and quotation marks: those that are left begin and end strings."""
    return message.replace(b"\\\\", b"").replace(b'\\"', b"")


def _depth(outside: bytes) -> int:
    """How deep the brackets are nested."""
    deepest = depth = 0
    for bracket in outside.translate(_BRACKETS, _NOT_BRACKETS):
        depth += 1 if bracket == _BRACKETS[ord("[")] else -1
        deepest = max(deepest, depth)
    return deepest


def _too_many() -> str:
    return (
        f"The message contains more than {MAX_VALUES:,} values, or more than {MAX_CONTAINERS:,} lists and objects. "
        "Send less at a time, or a long list as text (CSV)."
    )
