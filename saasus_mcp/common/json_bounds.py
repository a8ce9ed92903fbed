"""Check the size and depth of JSON text before it is parsed, on its raw bytes.

Parsing is slow for many small values: 4 MB of `[],[],…` take seconds and hundreds of megabytes, while 4 MB in one string
take milliseconds. So values are counted first, at the speed of a search.
"""

from __future__ import annotations

from saasus_mcp.common.messages import Message, message

MAX_VALUES = 60_000
"""JSON values in the arguments of one call. The longest list that an operation takes has 10,000 items of five values."""
MAX_CONTAINERS = 20_000
"""Objects and lists in one text. Parsing one takes as long as parsing ten other values."""
MAX_MESSAGE_DEPTH = 64

_BLOCK = 64 * 1024
"""Bytes that are searched at once."""
_OPENING, _CLOSING = b"[{", b"]}"
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in _OPENING + _CLOSING)
_BRACKETS = bytes.maketrans(b"[{]}", b"[[]]")


def find_excess(text: bytes) -> Message | None:
    """Return why JSON text must not be parsed, or None if it may be. Takes linear time and does not recurse."""
    if b"\0" in text:
        return message("arguments.message_nul")
    if not _may_exceed(text):
        return None
    unescaped = text
    if b"\\" in text:
        unescaped = text.replace(b"\\\\", b"").replace(b'\\"', b"")  # the quotation marks left begin and end strings
    quotation_marks = 2 * (2 * MAX_VALUES)  # each value may have a name
    if _count(unescaped, b'"', quotation_marks) > quotation_marks:
        return _too_large()
    outside = b"".join(unescaped.split(b'"')[::2])
    containers = _count(outside, b"[{", MAX_CONTAINERS)
    if containers > MAX_CONTAINERS or _count(outside, b",", MAX_VALUES) + containers > MAX_VALUES:
        return _too_large()
    if _depth(outside) > MAX_MESSAGE_DEPTH:
        return message("arguments.message_too_deep", limit=MAX_MESSAGE_DEPTH)
    return None


def _may_exceed(text: bytes) -> bool:
    """Count as if no bracket or comma stood in a string. Most messages need no closer look."""
    containers = _count(text, b"[{", MAX_MESSAGE_DEPTH)
    return containers > MAX_MESSAGE_DEPTH or _count(text, b",", MAX_VALUES) + containers > MAX_VALUES


def _count(text: bytes, wanted: bytes, enough: int) -> int:
    """Count some bytes of a text. Stop above a number that is enough: where there are many, each takes time."""
    found = 0
    for start in range(0, len(text), _BLOCK):
        for byte in wanted:
            found += text.count(byte, start, start + _BLOCK)
        if found > enough:
            break
    return found


def _depth(outside: bytes) -> int:
    """Return how deep the brackets outside of strings are nested."""
    deepest = depth = 0
    for bracket in outside.translate(_BRACKETS, _NOT_BRACKETS):
        depth += 1 if bracket == _BRACKETS[ord("[")] else -1
        deepest = max(deepest, depth)
    return deepest


def _too_large() -> Message:
    return message("arguments.message_too_large", values=MAX_VALUES, containers=MAX_CONTAINERS)
