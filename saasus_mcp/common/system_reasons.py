"""Why the operating system, a library or a parser refused something, in the language of the reader.

Their own texts are English. What is not known here has the name of its error, which can be searched for.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Message, message, one_of

if TYPE_CHECKING:
    import json
    import ssl
    import tomllib

OS_REASONS = frozenset(
    {
        *("ENOENT", "EACCES", "EPERM", "EEXIST", "EISDIR", "ENOTDIR", "ENOTEMPTY", "ELOOP", "ENAMETOOLONG", "EXDEV"),
        *(
            "ENOSPC",
            "EDQUOT",
            "EFBIG",
            "EROFS",
            "EIO",
            "EBUSY",
            "ESTALE",
            "EMFILE",
            "ENFILE",
            "ENOMEM",
            "EINVAL",
            "EBADF",
        ),
        *("EADDRINUSE", "EADDRNOTAVAIL", "EAFNOSUPPORT", "ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "EPIPE"),
        *("ETIMEDOUT", "EHOSTUNREACH", "EHOSTDOWN", "ENETUNREACH", "ENETDOWN"),
    }
)
"""The error numbers with a message."""
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
TOML_REASONS: Mapping[str, str] = {
    "Invalid statement": "statement",
    "Expected '='": "equals",
    "Expected ']": "bracket",
    "Expected newline": "newline",
    "Expected": "unterminated",
    "Unterminated string": "unterminated",
    "Cannot": "twice",
    "Duplicate": "twice",
    "Invalid initial character": "key",
    "Unclosed array": "array",
    "Unclosed inline table": "inline_table",
    "Unescaped": "escape",
    "Invalid hex": "escape",
    "Escaped character": "escape",
    "Invalid date": "date",
    "Invalid value": "value",
    "Found invalid character": "character",
    r"Illegal character '\n'": "unterminated",
    "Illegal character": "character",
}
"""How the texts of Python's TOML reader begin, and their messages. The first that fits counts."""
YAML_REASONS: Mapping[str, str] = {
    "mapping values": "colon",
    "find expected ':'": "no_colon",
    "',' or": "separator",
    "cannot start any token": "character",
    "unexpected end of stream": "end",
    "escape character": "escape",
    "expected key": "indentation",
    "block end": "indentation",
    "'-' indicator": "indentation",
    "block sequence entries": "indentation",
}
"""What the texts of both YAML readers contain, and their messages."""
CERTIFICATE_REASONS: Mapping[int, str] = {
    9: "not_yet_valid",
    10: "expired",
    18: "self_signed",
    19: "self_signed_chain",
    20: "unknown_issuer",
    21: "unknown_issuer",
    23: "revoked",
    62: "other_host",
    64: "other_host",
}
"""The results of OpenSSL's verification (openssl-verification-options), and their messages."""


def os_reason(error: OSError | UnicodeDecodeError) -> Message:
    """Return why the system refused something, or why a text cannot be read, without the name of the file."""
    if isinstance(error, UnicodeDecodeError):
        return message("system.not_utf8")
    if isinstance(error.__cause__, SaasusMcpError):  # of a file that others can change
        return error.__cause__.message
    return errno_reason(error.errno) if error.errno else message("system.other", name=type(error).__name__)


def errno_reason(number: int) -> Message:
    """Return the message of an error number of the system."""
    name = errno.errorcode.get(number, str(number))
    return one_of("system.os", name) if name in OS_REASONS else message("system.other", name=name)


def file_reason(error: OSError) -> Message:
    """Return why the system refused something, after the name of the file if the error has one."""
    if error.filename is None:
        return os_reason(error)
    return message("system.of_file", file=str(error.filename), reason=os_reason(error))


def json_reason(error: json.JSONDecodeError) -> Message:
    """Return why a text is not JSON, without the place."""
    return one_of(
        "system.json", next((kind for begin, kind in JSON_REASONS.items() if error.msg.startswith(begin)), "other")
    )


def toml_reason(error: tomllib.TOMLDecodeError) -> Message:
    """Return why a text is not TOML, with the place."""
    text = str(error)
    reason = one_of(
        "system.toml", next((kind for begin, kind in TOML_REASONS.items() if text.startswith(begin)), "other")
    )
    place = re.search(r"\(at line (\d+), column (\d+)\)$", text)
    if place is None:
        return message("system.at_end", reason=reason)
    return message("system.at_place", reason=reason, line=int(place[1]), column=int(place[2]))


def yaml_reason(problem: str) -> Message:
    """Return why a text is not YAML, without the place."""
    return one_of("system.yaml", next((kind for part, kind in YAML_REASONS.items() if part in problem), "other"))


def certificate_reason(error: ssl.SSLCertVerificationError) -> Message:
    """Return why a certificate was not accepted."""
    kind = CERTIFICATE_REASONS.get(error.verify_code)
    return one_of("system.certificate", kind) if kind else message("system.other", name=f"X509 {error.verify_code}")
