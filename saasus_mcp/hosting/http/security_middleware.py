"""The outermost middleware: it checks the Host, Origin and length headers, and adds security headers to every response."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as AsgiMessage

from saasus_mcp.common.messages import message
from saasus_mcp.common.request_id import REQUEST_ID, accept_request_id
from saasus_mcp.hosting.http_errors import RETRY_AFTER_SECONDS, TEMPORARY_STATUSES, error_response
from saasus_mcp.hosting.limits.concurrency import CLOSE_HEADER, HEALTH_PATHS

HOST_PATTERN = re.compile(r"(?P<name>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
LOOPBACK_ORIGIN_PATTERN = r"http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?"
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
REQUEST_ID_HEADER = "X-Request-Id"
HSTS_ONE_YEAR = "max-age=31536000"


@dataclass(frozen=True, slots=True)
class Allowlist:
    """The host names of this server, and the origins of the pages that may call it. Loopback is always allowed.

    This stops DNS rebinding: a page whose name is made to resolve to this server still sends its own name and origin.
    """

    hosts: frozenset[str]
    origins: frozenset[str]

    @classmethod
    def from_settings(cls, public_url: str, hosts: frozenset[str], origins: frozenset[str]) -> Allowlist:
        """Return the configured hosts and origins, with the public URL and loopback."""
        return cls(hosts | LOOPBACK_HOSTS | {urlsplit(public_url).hostname or ""}, origins | {public_url})

    def allows_host(self, headers: list[str]) -> bool:
        """Return True if there is one Host header and it names this server. The port is ignored: a proxy may change it."""
        host = HOST_PATTERN.fullmatch(headers[0].lower()) if len(headers) == 1 else None
        return host is not None and host["name"].strip("[]") in self.hosts

    def allows_origin(self, headers: list[str]) -> bool:
        """Return True if there is no Origin header, or one with an allowed origin."""
        return not headers or (len(headers) == 1 and self.allows_page(headers[0].lower()))

    def allows_page(self, origin: str) -> bool:
        """Return True if pages of this origin may call the server."""
        return origin in self.origins or re.fullmatch(LOOPBACK_ORIGIN_PATTERN, origin) is not None


class SecurityMiddleware:
    """Rejects requests that are meant for another host or come from a page that is not allowed.

    Args:
        on_response: called with the status of every response.
        secure: whether clients reach the server over https only.
    """

    def __init__(self, app: ASGIApp, allowed: Allowlist, on_response: Callable[[int], None], *, secure: bool) -> None:
        self._app = app
        self._allowed = allowed
        self._on_response = on_response
        self._headers = {**SECURITY_HEADERS, **({"Strict-Transport-Security": HSTS_ONE_YEAR} if secure else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # A parser may leave blanks around values (RFC 9110, 5.5), and MCP compares some of them with the body.
        scope = {**scope, "headers": [(name, value.strip(b" \t")) for name, value in scope["headers"]]}
        request_id = accept_request_id(Headers(scope=scope).get(REQUEST_ID_HEADER, ""))
        REQUEST_ID.set(request_id)

        async def send_with_headers(part: AsgiMessage) -> None:
            if part["type"] == "http.response.start":
                self._on_response(part["status"])
                headers = MutableHeaders(scope=part)
                headers[REQUEST_ID_HEADER] = request_id
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if part["status"] in TEMPORARY_STATUSES:
                    headers.setdefault("Retry-After", RETRY_AFTER_SECONDS)
            await send(part)

        await (self._find_error(scope) or self._app)(scope, receive, send_with_headers)

    def _find_error(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if scope["path"] not in HEALTH_PATHS and not self._allowed.allows_host(headers.getlist("host")):
            return error_response(HTTPStatus.MISDIRECTED_REQUEST, message("hosting.host_not_allowed"))
        if not self._allowed.allows_origin(headers.getlist("origin")):
            return error_response(HTTPStatus.FORBIDDEN, message("hosting.origin_not_allowed"))
        if "content-length" in headers and "transfer-encoding" in headers:
            # A proxy in front of this server may have used the other header, and taken the body's end for the next request.
            return error_response(HTTPStatus.BAD_REQUEST, message("hosting.ambiguous_length"), CLOSE_HEADER)
        return None
