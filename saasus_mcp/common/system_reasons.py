"""Why the operating system refused something, and why a text is not JSON, in the language of the reader."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping

from saasus_mcp.common.messages import Message, message, one_of

OS_REASONS = frozenset({"ENOENT", "EACCES", "EPERM", "EISDIR", "ENOTDIR", "ENOSPC", "EROFS", "EADDRINUSE"})
"""The error numbers with a message. The system's own text, which is English, stands for all others."""
JSON_REASONS: Mapping[str, str] = {
    "Expecting value": "value",
    "Expecting property name": "name",
    "Expecting ':'": "colon",
    "Expecting ','": "comma",
    "Extra data": "extra",
    "Unterminated string": "unterminated",
    "Invalid control character": "control",
    "Invalid \\": "escape",
    "Illegal trailing comma": "trailing_comma",
}
"""How the texts of Python's JSON reader begin, and their messages."""


def os_reason(error: OSError | UnicodeDecodeError) -> Message | str:
    """Return why the system refused something, or why a text cannot be read, without the name of the file."""
    if isinstance(error, UnicodeDecodeError):
        return message("system.not_utf8")
    name = errno.errorcode.get(error.errno or 0, "")
    return one_of("system.os", name) if name in OS_REASONS else error.strerror or type(error).__name__


def file_reason(error: OSError) -> Message | str:
    """Return why the system refused something, after the name of the file; the error's own text if it names none."""
    if error.filename is None:
        return str(error)
    return message("system.of_file", file=str(error.filename), reason=os_reason(error))


def json_reason(error: json.JSONDecodeError) -> Message | str:
    """Return why a text is not JSON, without the place."""
    known = (name for begin, name in JSON_REASONS.items() if error.msg.startswith(begin))
    name = next(known, None)
    return error.msg if name is None else one_of("system.json", name)
