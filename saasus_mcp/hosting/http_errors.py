"""What this server itself answers over HTTP, before a request is one of MCP: a JSON body that says why, and how to mend it."""

from __future__ import annotations

from collections.abc import Mapping

from mcp.types import INVALID_REQUEST
from starlette.responses import JSONResponse

from saasus_mcp.hosting.limits.request_pool import CapacityExceeded

(
    BAD_REQUEST,
    UNAUTHORIZED,
    FORBIDDEN,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    REQUEST_TIMEOUT,
    CONTENT_TOO_LARGE,
    MISDIRECTED,
    TOO_MANY_REQUESTS,
    SERVICE_UNAVAILABLE,
) = (
    400,
    401,
    403,
    404,
    405,
    408,
    413,
    421,
    429,
    503,
)
TEMPORARY_STATUSES = frozenset({TOO_MANY_REQUESTS, SERVICE_UNAVAILABLE})
"""Statuses of answers that hold for the moment only."""
RETRY_AFTER_SECONDS = "2"
"""Which every one of them gives as Retry-After (see frontier)."""


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A refusal as an error of JSON-RPC, which clients show to their users."""
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": INVALID_REQUEST, "message": message}}
    return JSONResponse(body, status, headers)


def unavailable_response(message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A refusal that holds for the moment only."""
    return error_response(SERVICE_UNAVAILABLE, message, {"Retry-After": RETRY_AFTER_SECONDS, **(headers or {})})


def capacity_response(none: CapacityExceeded) -> JSONResponse:
    """A refusal for lack of room: 429 where the caller holds its whole share, 503 where the whole server is busy."""
    if not none.limit:
        return unavailable_response("The server is busy. Try again in a moment.")
    setting = f" ({none.setting})" if none.setting else ""
    return error_response(
        TOO_MANY_REQUESTS,
        f"You have reached the limit of {none.limit} connections per caller{setting}. "
        "End requests, streams or sessions that you no longer need, then try again.",
    )
