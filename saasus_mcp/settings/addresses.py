"""Addresses of the API, of this server and of identity providers. Only https, or http on loopback."""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Literal

from saasus_mcp.common.messages import Message, message
from saasus_mcp.settings.validation import InvalidValue

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
ORIGIN = re.compile(r"(?P<scheme>(?i:https?))://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:(?P<port>[0-9]{1,5}))?")
URL = re.compile(r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?(/[!-{}~]*)?")
HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[?[0-9A-Fa-f:.]{2,45}\]?")
HIGHEST_PORT = 65535
MAX_WORKERS = 64
"""Processes that serve one port."""
HTTPS_PORT = 443


def is_loopback(host: str) -> bool:
    """Return True if only this machine can reach a listener on `host`."""
    bare = host.strip("[]")
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return bare in LOOPBACK


def parse_api_origin(value: Any) -> str:
    """Return the API's base URL without `/v1`."""
    text = str(value).strip().rstrip("/").removesuffix("/v1")
    return _require_url(ORIGIN, text, message("settings.api_origin"))


def parse_public_url(value: Any) -> str:
    """Return the origin by which clients reach this server. It has no path."""
    origin = _require_url(ORIGIN, str(value).strip().rstrip("/").lower(), message("settings.public_url"))
    return origin.removesuffix(f":{HTTPS_PORT}") if origin.startswith("https:") else origin


def parse_web_origin(value: Any) -> str:
    """Return the origin of a page in a browser. Plain http is accepted for every host."""
    text = str(value).strip().rstrip("/").lower()
    if ORIGIN.fullmatch(text) is None:
        raise InvalidValue(message("settings.web_origin"))
    return text


def parse_provider_url(value: Any) -> str:
    """Return the URL of an identity provider unchanged, because issuers are compared character by character."""
    return _require_url(URL, str(value), message("settings.provider_url"))


def parse_endpoint(value: Any) -> str:
    """Return the URL at which a hosted server answers, such as https://mcp.example.com/mcp."""
    return _require_url(URL, str(value).strip(), message("settings.endpoint"))


def parse_host_name(value: Any) -> str:
    """Return a host's name or address, without a port."""
    text = str(value).strip().lower()
    if HOST.fullmatch(text) is None:
        raise InvalidValue(message("settings.host_name"))
    return text.strip("[]")


def _require_url(form: re.Pattern[str], text: str, problem: Message) -> str:
    """Return a URL of this form unchanged. Its scheme is https, unless only this machine can reach the host."""
    parts = form.fullmatch(text)
    if parts is None or int(parts.groupdict().get("port") or 0) > HIGHEST_PORT:
        raise InvalidValue(problem)
    if parts["scheme"].lower() != "https" and not is_loopback(parts["host"]):
        raise InvalidValue(message("settings.insecure_url"))
    return text


Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Asymmetric signatures only. HS256 needs a secret shared with the issuer, which could leak."""
