"""What this server itself answers over HTTP, before a request is one of MCP: a JSON body that says why, and how to mend it."""

from __future__ import annotations

from collections.abc import Mapping

from mcp.types import INVALID_REQUEST
from starlette.responses import JSONResponse

BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_ALLOWED, TIMED_OUT, TOO_LARGE, MISDIRECTED, UNAVAILABLE = (
    400,
    401,
    403,
    405,
    408,
    413,
    421,
    503,
)
RETRY_SECONDS = "2"
"""Which every answer that holds for the moment only gives as Retry-After (see frontier)."""


def refusal(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A refusal as an error of JSON-RPC, which clients show to their users."""
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": INVALID_REQUEST, "message": message}}
    return JSONResponse(body, status, headers)


def unavailable(message: str) -> JSONResponse:
    """A refusal that holds for the moment only."""
    return refusal(UNAVAILABLE, message)
