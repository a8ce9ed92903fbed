"""SAASUSSIGV1, the API's request signature.

`hex(HMAC-SHA256(secret key, TIMESTAMP + API key + METHOD + host[:port] + path[?query] + body))`, the timestamp in UTC
to the minute. So each attempt is signed: a retry a minute later would have an expired signature.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx2

Clock = Callable[[], datetime]


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def format_timestamp(at: datetime) -> str:
    """Return a time as the signature has it: `YYYYMMDDHHMM` in UTC. `strftime` takes five times as long."""
    at = at.astimezone(UTC)
    return str((((at.year * 100 + at.month) * 100 + at.day) * 100 + at.hour) * 100 + at.minute)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of one SaaS. The keys appear in no repr and in no log."""

    saas_id: str
    api_key: str = field(repr=False)
    secret_key: str = field(repr=False)


def sign_request(credentials: Credentials, timestamp: str, *, method: str, place: str, body: bytes) -> str:
    """Return the `Authorization` header of one attempt.

    Args:
        timestamp: when the attempt begins, as `format_timestamp` returns it.
        place: host, port, path and query, exactly as sent, like `body`.
    """
    message = f"{timestamp}{credentials.api_key}{method.upper()}{place}".encode() + body
    signature = hmac.digest(credentials.secret_key.encode(), message, "sha256").hex()
    return f"SAASUSSIGV1 Sig={signature}, SaaSID={credentials.saas_id}, APIKey={credentials.api_key}"


def place_of(url: httpx2.URL) -> str:
    """Return the part of a URL that is signed: host, port, path and query."""
    return (url.netloc + url.raw_path).decode("ascii")
