"""Why a request did not leave: which part of the network failed, found in the error and in what was done before it."""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.request import getproxies, getproxies_environment, proxy_bypass

import httpx2

from saasus_mcp.common.language import Language
from saasus_mcp.common.text import one_line
from saasus_mcp.saasus.network_wording import WORDS, Cause

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
"""Errors after which nothing of a request can have arrived. UnicodeError: a header that cannot be encoded."""
MALFORMED = (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol, httpx2.InvalidURL, UnicodeError)
UNUSABLE = (OSError, ImportError, ValueError, httpx2.InvalidURL)
"""Errors with which no client can be made in this environment."""
TIMEOUTS = (httpx2.TimeoutException, TimeoutError)
PERMANENT_CAUSES: frozenset[Cause] = frozenset({"ca_file", "certificate", "proxy_setting", "proxy_refused", "request"})
"""Causes that another attempt does not change."""
STATUS = re.compile(r"[1-5][0-9]{2}\b", re.ASCII)
MAX_DETAIL = 120


@dataclass(frozen=True, slots=True)
class NetworkFault:
    """One cause.

    Attributes:
        about: the host, proxy or variable that it concerns. Never a password.
        detail: more about it, for those who know networks.
    """

    cause: Cause
    about: str = ""
    detail: str = ""

    def words(self, language: Language) -> tuple[str, str]:
        """Return what happened, as the end of a sentence, and what to do."""
        said, mend = WORDS[language][self.cause]
        return said.format(about=self.about, detail=self.detail), mend


class ConnectionTrace:
    """What happened to one request, told by the HTTP library as it happens.

    Attributes:
        peer: host and port to which a connection was opened; empty where an open one was used.
        sent: whether the request itself, not one to a proxy, began to be written.
    """

    def __init__(self) -> None:
        self.peer = ""
        self.sent = False

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Note an event."""
        if event.endswith(".connect_tcp.started"):
            self.peer = _address(str(info["host"]), info["port"])
        elif event.endswith(".send_request_headers.started") and info["request"].method != b"CONNECT":
            self.sent = True


def configuration_fault(error: Exception) -> NetworkFault:
    """Say why no client could be made: the environment names authorities or a proxy that cannot be used."""
    if isinstance(error, OSError):
        given = "SSL_CERT_FILE"
        detail = "it contains no certificate" if isinstance(error, ssl.SSLError) else error.strerror or "unreadable"
        return NetworkFault("ca_file", given, detail)
    detail = "SOCKS needs the package socksio" if isinstance(error, ImportError) else "not a proxy's address"
    return NetworkFault("proxy_setting", _proxy_variables(), detail)


def classify_error(error: Exception, url: httpx2.URL, watched: ConnectionTrace) -> NetworkFault:
    """Say why a request did not leave."""
    host = _address(url.host, url.port or {"http": 80, "https": 443}.get(url.scheme, 0))
    through = watched.peer if watched.peer not in ("", host) else ""
    if isinstance(error, httpx2.PoolTimeout):
        return NetworkFault("busy")
    if isinstance(error, httpx2.ProxyError):
        status = STATUS.match(str(error))
        return NetworkFault(
            "proxy_refused", through or _proxy_variables(), f"HTTP {status[0]}" if status else "no route"
        )
    if isinstance(error, MALFORMED):
        return NetworkFault("request", detail=type(error).__name__)
    return _unconnected(error, host, through)


def _unconnected(error: Exception, host: str, through: str) -> NetworkFault:
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return NetworkFault("certificate", host, one_line(cause.verify_message, MAX_DETAIL))
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return NetworkFault("tls", host, (cause.reason or "no TLS").replace("_", " ").lower())
        if isinstance(cause, socket.gaierror):
            name = (through or host).rpartition(":")[0]
            return NetworkFault("proxy_unknown" if through else "unknown_host", name)
    detail = "timeout" if isinstance(error, TIMEOUTS) else _kind(causes)
    if through:
        return NetworkFault("proxy_unreachable", through, detail)
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return NetworkFault("refused", host)
    return NetworkFault("no_connection", host, detail)


def _kind(causes: list[BaseException]) -> str:
    """The most telling of the errors, by the system's words or by its class."""
    numbers = [cause.errno for cause in causes if isinstance(cause, OSError) and cause.errno and cause.errno > 0]
    return os.strerror(numbers[-1]) if numbers else type(causes[0]).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and those behind it, each once."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
        waiting += [behind for behind in (one.__cause__, one.__context__) if behind is not None]


def _proxy_variables() -> str:
    """The variables that name proxies."""
    named = [f"{scheme.upper()}_PROXY" for scheme in ("http", "https", "all") if getproxies_environment().get(scheme)]
    return ", ".join(named) or "the system's settings"


def proxy_for(url: str) -> str:
    """Return the proxy that the environment or the system names for an address, without user and password; or nothing."""
    known, scheme = getproxies(), httpx2.URL(url).scheme
    if proxy_bypass(httpx2.URL(url).host):
        return ""
    named = known.get(scheme) or known.get("all") or ""
    try:
        proxy = httpx2.URL(named if "://" in named else f"http://{named}") if named else None
    except httpx2.InvalidURL:
        return ""
    return f"{proxy.scheme}://{_address(proxy.host, proxy.port or 0)}" if proxy and proxy.host else ""


def _address(host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{port}" if port else shown
