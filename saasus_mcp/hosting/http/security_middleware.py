"""The outermost layer: which requests are taken at all, by their headers, and the headers that every answer has."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from saasus_mcp.hosting.http_errors import (
    BAD_REQUEST,
    FORBIDDEN,
    MISDIRECTED,
    RETRY_AFTER_SECONDS,
    TEMPORARY_STATUSES,
    error_response,
)
from saasus_mcp.hosting.limits.concurrency import HEALTH_PATHS

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
HSTS_ONE_YEAR = "max-age=31536000"


@dataclass(frozen=True, slots=True)
class Allowlist:
    """By which names this server may be asked, and by pages of which origins. Loopback always may.

    A page whose name is made to point here (DNS rebinding) still sends its own name, and a page its own origin.
    """

    hosts: frozenset[str]
    origins: frozenset[str]

    @classmethod
    def from_settings(cls, public_url: str, hosts: frozenset[str], origins: frozenset[str]) -> Allowlist:
        """What is set, with the public URL and loopback."""
        return cls(hosts | LOOPBACK_HOSTS | {urlsplit(public_url).hostname or ""}, origins | {public_url})

    def allows_host(self, given: list[str]) -> bool:
        """Whether a request names one host, and it is one of ours; the port is the proxy's affair."""
        parts = HOST_PATTERN.fullmatch(given[0].lower()) if len(given) == 1 else None
        return parts is not None and parts["name"].strip("[]") in self.hosts

    def allows_origin(self, given: list[str]) -> bool:
        """Whether it comes from no page at all, or from one that may call."""
        return not given or (len(given) == 1 and self.allows_page(given[0].lower()))

    def allows_page(self, origin: str) -> bool:
        """Whether pages of this origin may call."""
        return origin in self.origins or re.fullmatch(LOOPBACK_ORIGIN_PATTERN, origin) is not None


class SecurityMiddleware:
    """Refuses requests that were meant for somebody else or come from a page that has no business here.

    Args:
        responded: is told the status of every response.
        secure: whether clients reach the server over https only.
    """

    def __init__(self, app: ASGIApp, allowed: Allowlist, on_response: Callable[[int], None], *, secure: bool) -> None:
        self._app = app
        self._allowed = allowed
        self._responded = on_response
        self._headers = {**SECURITY_HEADERS, **({"Strict-Transport-Security": HSTS_ONE_YEAR} if secure else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # A parser may leave blanks around values (RFC 9110, 5.5); MCP compares some with the body.
        scope = {**scope, "headers": [(name, value.strip(b" \t")) for name, value in scope["headers"]]}

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._responded(message["status"])
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if message["status"] in TEMPORARY_STATUSES:
                    headers.setdefault("Retry-After", RETRY_AFTER_SECONDS)
            await send(message)

        refused = self._refused(scope)
        await (refused or self._app)(scope, receive, answer)

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if scope["path"] not in HEALTH_PATHS and not self._allowed.allows_host(headers.getlist("host")):
            return error_response(
                MISDIRECTED, "Host header not allowed. Add the host to `allowed_hosts` (docs/hosting.md)."
            )
        if not self._allowed.allows_origin(headers.getlist("origin")):
            return error_response(FORBIDDEN, "Origin not allowed. Add it to `allowed_origins` (docs/hosting.md).")
        if "content-length" in headers and "transfer-encoding" in headers:
            # A proxy before this server may have gone by the other one, and taken the body's end for the next request.
            return error_response(BAD_REQUEST, "The request has two Content-Length headers.", {"Connection": "close"})
        return None
