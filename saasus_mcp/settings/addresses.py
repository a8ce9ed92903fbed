"""Addresses as people write them: of the API, of this server, of an identity provider. Only https, or http on loopback."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
ORIGIN = re.compile(r"(?P<scheme>(?i:https?))://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:(?P<port>[0-9]{1,5}))?")
URL = re.compile(r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?(/[!-{}~]*)?")
HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[?[0-9A-Fa-f:.]{2,45}\]?")
HIGHEST_PORT = 65535
HTTPS_PORT = 443


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    bare = host.strip("[]")
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return bare in LOOPBACK


def parse_api_origin(value: Any) -> str:
    """The API's base URL without `/v1`."""
    text = str(value).strip().rstrip("/").removesuffix("/v1")
    return _origin(text, "write an origin such as https://api.saasus.io")


def parse_public_url(value: Any) -> str:
    """The origin by which clients reach this server. It has no path."""
    text = str(value).strip().rstrip("/").lower()
    known = _origin(text, "write an origin without a path, such as https://mcp.example.com")
    return known.removesuffix(f":{HTTPS_PORT}") if known.startswith("https:") else known


def parse_web_origin(value: Any) -> str:
    """The origin of a page in a browser, which may be of any kind of address."""
    text = str(value).strip().rstrip("/").lower()
    if ORIGIN.fullmatch(text) is None:
        raise ValueError("write origins such as https://app.example.com")
    return text


def parse_provider_url(value: Any) -> str:
    """A URL of an identity provider, left as it is: issuers are compared letter by letter."""
    return _url(str(value), "write a URL such as https://login.example.com/realms/main")


def parse_endpoint(value: Any) -> str:
    """The URL at which a hosted server answers, such as https://mcp.example.com/mcp."""
    return _url(str(value).strip(), "write a URL such as https://mcp.example.com/mcp")


def parse_host_name(value: Any) -> str:
    """A host's name or address, without a port."""
    text = str(value).strip().lower()
    if HOST.fullmatch(text) is None:
        raise ValueError("write a host's name or address, without a port")
    return text.strip("[]")


def _origin(text: str, wanted: str) -> str:
    parts = ORIGIN.fullmatch(text)
    if parts is None or int(parts["port"] or 0) > HIGHEST_PORT:
        raise ValueError(wanted)
    _require_secure(parts)
    return text


def _url(text: str, wanted: str) -> str:
    parts = URL.fullmatch(text)
    if parts is None:
        raise ValueError(wanted)
    _require_secure(parts)
    return text


def _require_secure(parts: re.Match[str]) -> None:
    if parts["scheme"].lower() != "https" and not is_loopback(parts["host"]):
        raise ValueError("only https, or http on loopback, is accepted")


ApiOrigin = Annotated[str, BeforeValidator(parse_api_origin)]
HostName = Annotated[str, BeforeValidator(parse_host_name)]
PublicUrl = Annotated[str, BeforeValidator(parse_public_url)]
WebOrigin = Annotated[str, BeforeValidator(parse_web_origin)]
ProviderUrl = Annotated[str, BeforeValidator(parse_provider_url)]

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures that only the issuer can make. A secret shared with it, as HS256 wants, would be one more to lose."""
