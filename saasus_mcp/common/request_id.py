"""The id of the HTTP request that is served now. It is in each log line, so that the lines of one request can be found."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")


def accept_request_id(given: str) -> str:
    """Return the id that a proxy has given to a request, or a new one if it gave none of an acceptable form."""
    return given if _ACCEPTED.fullmatch(given) else secrets.token_hex(8)
