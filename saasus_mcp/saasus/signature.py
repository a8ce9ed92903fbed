"""SAASUSSIGV1, the API's request signature, as an `httpx2.Auth`.

`hex(HMAC-SHA256(secret key, TIMESTAMP + API key + METHOD + host[:port] + path[?query] + body))`, the timestamp in UTC
to the minute. Its grain is why every attempt is signed afresh: a retry a minute later would carry an old one.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx2

Clock = Callable[[], datetime]


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Credentials:
    """One SaaS's credentials. Neither key is ever shown: not in a repr, not in a log."""

    saas_id: str
    api_key: str = field(repr=False)
    secret_key: str = field(repr=False)


def sign_request(credentials: Credentials, timestamp: str, method: str, url: httpx2.URL, body: bytes) -> str:
    """The `Authorization` header of one attempt; `timestamp` is UTC `YYYYMMDDHHMM`, `url` and `body` exactly as sent."""
    place = url.netloc + url.raw_path
    message = timestamp.encode() + credentials.api_key.encode() + method.upper().encode() + place + body
    signature = hmac.digest(credentials.secret_key.encode(), message, "sha256").hex()
    return f"SAASUSSIGV1 Sig={signature}, SaaSID={credentials.saas_id}, APIKey={credentials.api_key}"


class SaasusSignature(httpx2.Auth):
    """Signs each attempt with the time at which it is made."""

    requires_request_body = True

    def __init__(self, credentials: Credentials, clock: Clock = now) -> None:
        self._credentials = credentials
        self._clock = clock

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        timestamp = self._clock().astimezone(UTC).strftime("%Y%m%d%H%M")
        header = sign_request(self._credentials, timestamp, request.method, request.url, request.content)
        request.headers["Authorization"] = header
        yield request
