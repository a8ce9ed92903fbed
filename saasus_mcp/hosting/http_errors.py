"""Error responses of the server itself, sent before a request reaches MCP."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from mcp.types import INVALID_REQUEST
from starlette.responses import JSONResponse

from saasus_mcp.common.messages import Message, message
from saasus_mcp.hosting.limits.request_pool import CapacityExceeded

TEMPORARY_STATUSES = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""Statuses that get a Retry-After header (see http.security_middleware)."""
RETRY_AFTER_SECONDS = "2"


def error_response(status: int, text: Message | Exception, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return a JSON-RPC error, which clients show to their users."""
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": INVALID_REQUEST, "message": str(text)}}
    return JSONResponse(body, status, headers)


def unavailable_response(text: Message | Exception, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return a 503 that asks the client to try again."""
    retry = {"Retry-After": RETRY_AFTER_SECONDS, **(headers or {})}
    return error_response(HTTPStatus.SERVICE_UNAVAILABLE, text, retry)


def capacity_response(error: CapacityExceeded) -> JSONResponse:
    """Return 429 if the caller is at its own limit, and 503 if the whole server is busy."""
    if not error.limit:
        return unavailable_response(message("hosting.server_busy"))
    if error.setting:
        text = message("hosting.caller_limit", limit=error.limit, setting=error.setting)
    else:
        text = message("hosting.approver_limit", limit=error.limit)
    return error_response(HTTPStatus.TOO_MANY_REQUESTS, text)
