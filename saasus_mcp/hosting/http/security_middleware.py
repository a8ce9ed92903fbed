"""The outermost middleware: it checks the Host, Origin, length and encoding headers, and adds security headers to every response."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as AsgiMessage

from saasus_mcp.common.messages import message
from saasus_mcp.common.request_id import REQUEST_ID, accept_request_id
from saasus_mcp.hosting.http_errors import RETRY_AFTER_SECONDS, TEMPORARY_STATUSES, error_response
from saasus_mcp.hosting.limits.concurrency import CLOSE_HEADER, HEALTH_PATHS

HOST_PATTERN = re.compile(r"(?P<name>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
LOOPBACK_ORIGIN_PATTERN = r"http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?"
CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
REQUEST_ID_HEADER = "X-Request-Id"
_REQUEST_ID = REQUEST_ID_HEADER.lower().encode()
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
    """Rejects requests for another host, from a page that is not allowed, or with a control character in the path.

    Args:
        on_response: called with the status of every response.
        secure: whether clients reach the server over https only.
    """

    def __init__(self, app: ASGIApp, allowed: Allowlist, on_response: Callable[[int], None], *, secure: bool) -> None:
        self._app = app
        self._allowed = allowed
        self._on_response = on_response
        added = {**SECURITY_HEADERS, **({"Strict-Transport-Security": HSTS_ONE_YEAR} if secure else {})}
        self._headers = [(name.lower().encode(), value.encode()) for name, value in added.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # A parser may leave blanks around values (RFC 9110, 5.5), and MCP compares some of them with the body.
        scope = {**scope, "headers": [(name, value.strip(b" \t")) for name, value in scope["headers"]]}
        given = next((value for name, value in scope["headers"] if name == _REQUEST_ID), b"")
        request_id = accept_request_id(given.decode("latin-1"))
        REQUEST_ID.set(request_id)

        async def send_with_headers(part: AsgiMessage) -> None:
            if part["type"] == "http.response.start":
                self._on_response(part["status"])
                part = {**part, "headers": self._complete_headers(part, request_id)}
            await send(part)

        await (self._find_error(scope) or self._app)(scope, receive, send_with_headers)

    def _complete_headers(self, start: AsgiMessage, request_id: str) -> list[tuple[bytes, bytes]]:
        """Return the headers of a response with those that it does not set itself, and the id of the request."""
        headers = [each for each in start["headers"] if each[0].lower() != _REQUEST_ID]
        present = {name.lower() for name, _ in headers}
        headers.append((_REQUEST_ID, request_id.encode()))
        headers += [each for each in self._headers if each[0] not in present]
        if start["status"] in TEMPORARY_STATUSES and b"retry-after" not in present:
            headers.append((b"retry-after", RETRY_AFTER_SECONDS.encode()))
        return headers

    def _find_error(self, scope: Scope) -> Response | None:
        names = (b"host", b"origin", b"content-length", b"transfer-encoding", b"content-encoding")
        found: dict[bytes, list[str]] = {name: [] for name in names}
        for name, value in scope["headers"]:
            if name in found:
                found[name].append(value.decode("latin-1"))
        if scope["path"] not in HEALTH_PATHS and not self._allowed.allows_host(found[b"host"]):
            return error_response(HTTPStatus.MISDIRECTED_REQUEST, message("hosting.host_not_allowed"))
        if not self._allowed.allows_origin(found[b"origin"]):
            return error_response(HTTPStatus.FORBIDDEN, message("hosting.origin_not_allowed"))
        if CONTROL_CHARACTER.search(scope["path"]):
            # Routes end with `$`, which also matches before a last line break: /metrics%0a would pass a proxy's rule for /metrics.
            return PlainTextResponse(HTTPStatus.NOT_FOUND.phrase, HTTPStatus.NOT_FOUND)
        if found[b"content-length"] and found[b"transfer-encoding"]:
            # A proxy in front of this server may have used the other header, and taken the body's end for the next request.
            return error_response(HTTPStatus.BAD_REQUEST, message("hosting.ambiguous_length"), CLOSE_HEADER)
        if any(value.lower() not in ("", "identity") for value in found[b"content-encoding"]):
            text = message("hosting.encoded_body")
            return error_response(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, text, {"Accept-Encoding": "identity"})
        return None
