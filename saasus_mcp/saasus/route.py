"""Choose how requests reach the API: directly, or through the proxy that the environment or the system sets."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from threading import Lock, get_ident
from typing import Self
from urllib.request import getproxies, proxy_bypass

import httpx2

from saasus_mcp.saasus.exchange import ApiTransport, Httpx2Transport

CONNECTIONS = 100
"""The limit of open connections. The slots of calls (`server/scheduling/`) keep the same limit without a proxy."""
_LOADING = Lock()
"""Of the thread that loads aiohttp."""


@dataclass(frozen=True, slots=True)
class Route:
    """A transport to one origin.

    Attributes:
        proxy: whether it goes through a proxy. The transport then reports by `trace` events what it has sent.
    """

    transport: ApiTransport
    proxy: bool = False

    @classmethod
    def open(cls, origin: httpx2.URL) -> Self:
        """Return the route to an origin.

        Raises:
            OSError: the certificate authorities of the environment cannot be read.
            ValueError, httpx2.InvalidURL: the proxy of the environment cannot be used.
        """
        setting = _proxy_setting(origin)
        if setting:
            # httpx2 speaks HTTP CONNECT and SOCKS. Its slowness is no matter next to the way through a proxy.
            limits = httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
            return cls(
                Httpx2Transport(httpx2.AsyncHTTPTransport(proxy=httpx2.Proxy(setting), limits=limits)), proxy=True
            )
        with _LOADING, nullcontext() if "aiohttp" in sys.modules else _without_authorities():
            from saasus_mcp.saasus.http_transport import HttpTransport  # noqa: PLC0415 - only if it is used

        tls = httpx2.create_ssl_context() if origin.scheme == "https" else None
        return cls(HttpTransport(origin, tls))


@contextmanager
def _without_authorities() -> Iterator[None]:
    """Have TLS contexts that this thread makes trust nobody.

    aiohttp makes two when it is loaded, which are not used here. The authorities would take 2 MiB and a third of the time that it loads.
    """
    thread, load_authorities = get_ident(), ssl.SSLContext.set_default_verify_paths

    def load_elsewhere(self: ssl.SSLContext) -> None:
        if get_ident() != thread:
            load_authorities(self)

    ssl.SSLContext.set_default_verify_paths = load_elsewhere  # type: ignore[method-assign]
    try:
        yield
    finally:
        ssl.SSLContext.set_default_verify_paths = load_authorities  # type: ignore[method-assign]


def proxy_for(url: str) -> str:
    """Return the address of the proxy for a URL, without user and password, or an empty text."""
    setting = _proxy_setting(httpx2.URL(url))
    try:
        proxy = httpx2.URL(setting) if setting else None
    except httpx2.InvalidURL:
        return ""
    return f"{proxy.scheme}://{format_address(proxy.host, proxy.port or 0)}" if proxy and proxy.host else ""


def format_address(host: str, port: int) -> str:
    """Return host and port as in a URL."""
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{port}" if port else shown


def _proxy_setting(url: httpx2.URL) -> str:
    """Return the URL of the proxy for a URL, or an empty text."""
    if proxy_bypass(url.host) or proxy_bypass(format_address(url.host, url.port or 0)):
        return ""
    proxies = getproxies()
    setting = proxies.get(url.scheme) or proxies.get("all") or ""
    return setting if "://" in setting or not setting else f"http://{setting}"
