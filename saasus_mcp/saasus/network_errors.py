"""Find out why a request was not sent: which part of the network failed, and what to do about it."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.request import getproxies_environment

import httpx2

from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.common.system_reasons import certificate_reason, errno_reason, os_reason
from saasus_mcp.saasus.route import format_address

NetworkCause = Literal[
    "ca_file",
    "certificate",
    "tls",
    "unknown_host",
    "refused",
    "no_connection",
    "proxy_setting",
    "proxy_unknown",
    "proxy_unreachable",
    "proxy_refused",
    "busy",
    "request",
]

NOT_SENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.LocalProtocolError,
    httpx2.UnsupportedProtocol,
    httpx2.InvalidURL,
    UnicodeError,
)
"""Errors that occur before anything of a request is sent. UnicodeError: a header cannot be encoded."""
_MALFORMED = (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol, httpx2.InvalidURL, UnicodeError)
UNUSABLE = (OSError, ImportError, ValueError, httpx2.InvalidURL)
"""Errors of creating an HTTP client: the environment names an unusable CA file or proxy."""
TIMEOUTS = (httpx2.TimeoutException, TimeoutError)
PERMANENT_CAUSES: frozenset[NetworkCause] = frozenset(
    {"ca_file", "certificate", "proxy_setting", "proxy_refused", "request"}
)
"""Causes that remain at another attempt."""
_STATUS = re.compile(r"[1-5][0-9]{2}\b", re.ASCII)


@dataclass(frozen=True, slots=True)
class NetworkFault:
    """The cause of a failed connection.

    Attributes:
        subject: the host, proxy or variable that it concerns. Never contains a password.
        detail: the technical reason.
    """

    cause: NetworkCause
    subject: str | Message = ""
    detail: str | Message = ""

    @property
    def message(self) -> Message:
        """Return what happened, as the end of a sentence."""
        return one_of("network.cause", self.cause, subject=self.subject, detail=self.detail)

    @property
    def hint(self) -> Message:
        """Return what to do about it."""
        return one_of("network.hint", self.cause)


class ConnectionTrace:
    """Records the progress of one request, from the events of the HTTP library.

    Attributes:
        peer: host and port to which a connection was opened. Empty if an open one was reused.
        sent: the request itself, not one to a proxy, began to be written.
        answered: the head of the response was received.
    """

    def __init__(self) -> None:
        self.peer = ""
        self.sent = False
        self.answered = False

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Record an event."""
        if event.endswith(".connect_tcp.started"):
            self.peer = format_address(str(info["host"]), info["port"])
        elif event.endswith(".send_request_headers.started") and info["request"].method != b"CONNECT":
            self.sent = True


def configuration_fault(error: Exception) -> NetworkFault:
    """Return why no HTTP client could be created: the environment names an unusable CA file or proxy."""
    detail: str | Message
    if isinstance(error, OSError):
        detail = os_reason(error) if error.errno else message("network.detail.unreadable")
        is_ssl = isinstance(error, ssl.SSLError)
        return NetworkFault("ca_file", "SSL_CERT_FILE", message("network.detail.no_certificate") if is_ssl else detail)
    detail = message("network.detail.socks" if isinstance(error, ImportError) else "network.detail.address")
    return NetworkFault("proxy_setting", _proxy_variables(), detail)


def classify_error(error: Exception, url: httpx2.URL, trace: ConnectionTrace) -> NetworkFault:
    """Return why a request to `url` was not sent."""
    host = format_address(url.host, url.port or {"http": 80, "https": 443}.get(url.scheme, 0))
    proxy = trace.peer if trace.peer not in ("", host) else ""
    if isinstance(error, httpx2.PoolTimeout):
        return NetworkFault("busy")
    if isinstance(error, httpx2.ProxyError):
        status = _STATUS.match(str(error))
        detail = f"HTTP {status[0]}" if status else message("network.detail.no_route")
        return NetworkFault("proxy_refused", proxy or _proxy_variables(), detail)
    if isinstance(error, _MALFORMED):
        return NetworkFault("request", detail=type(error).__name__)
    return _connection_fault(error, host, proxy)


def _connection_fault(error: Exception, host: str, proxy: str) -> NetworkFault:
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return NetworkFault("certificate", host, certificate_reason(cause))
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return NetworkFault("tls", host, cause.reason or message("network.detail.no_tls"))
        if isinstance(cause, socket.gaierror):
            name = (proxy or host).rpartition(":")[0]
            return NetworkFault("proxy_unknown" if proxy else "unknown_host", name)
    detail = message("network.detail.timeout") if isinstance(error, TIMEOUTS) else _system_text(causes)
    if proxy:
        return NetworkFault("proxy_unreachable", proxy, detail)
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return NetworkFault("refused", host)
    return NetworkFault("no_connection", host, detail)


def _system_text(causes: list[BaseException]) -> Message | str:
    """Return the system's text for the innermost error number, or the class of the outermost error."""
    numbers = [cause.errno for cause in causes if isinstance(cause, OSError) and cause.errno and cause.errno > 0]
    return errno_reason(numbers[-1]) if numbers else type(causes[0]).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes, each once."""
    seen: set[int] = set()
    pending: list[BaseException] = [error]
    while pending:
        each = pending.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        if isinstance(each, BaseExceptionGroup):
            pending += each.exceptions
        pending += [cause for cause in (each.__cause__, each.__context__) if cause is not None]


def _proxy_variables() -> str | Message:
    """Return the names of the environment variables that set a proxy."""
    names = [f"{scheme.upper()}_PROXY" for scheme in ("http", "https", "all") if getproxies_environment().get(scheme)]
    return ", ".join(names) or message("network.system_settings")
