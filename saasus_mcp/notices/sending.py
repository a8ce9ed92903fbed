"""Send one notice to one channel: bounded in time and size, without redirects, and without the address in any error."""

from __future__ import annotations

import math
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import anyio
import httpx2

from saasus_mcp.common.fetch import ResponseTooLarge, read_limited
from saasus_mcp.common.messages import Message, one_of
from saasus_mcp.notices.channels import Channel
from saasus_mcp.notices.mail import MailRefused, use_mail
from saasus_mcp.notices.notice import Notice
from saasus_mcp.notices.payloads import OutgoingRequest, build_notice_request, message_id, origin_of

SEND_SECONDS = 10.0
MAX_ANSWER_BYTES = 64 * 1024
MAX_RETRY_AFTER = 3600.0
"""The longest time that a provider can make its notices wait."""
REPEATABLE_STATUSES = frozenset({408, 425, 429})
"""Client errors that end by themselves. After any other, the same request would fail again."""
REDIRECTS, SERVER_ERRORS = range(300, 400), range(500, 600)

Cause = Literal[
    "status", "redirect", "timeout", "answer", "certificate", "proxy", "connection", "mail", "too_old", "interrupted"
]


@dataclass(frozen=True, slots=True)
class SendFailure:
    """Why a notice was not delivered.

    Attributes:
        cause: `too_old` and `interrupted` are causes of the worker, which gives a notice up without another attempt.
        detail: the status of HTTP or SMTP.
        repeatable: whether another attempt can succeed.
        retry_after: seconds after which the provider accepts another attempt; None if it names none.
    """

    cause: Cause
    detail: str = ""
    repeatable: bool = True
    retry_after: float | None = None

    @property
    def message(self) -> Message:
        """What happened, for people."""
        if self.cause in ("status", "mail"):
            return one_of("notices.failed_status", self.cause, detail=self.detail)
        return one_of("notices.failure", self.cause)

    @property
    def code(self) -> str:
        """The cause as one word, as it is stored."""
        return f"{self.cause} {self.detail}".strip()

    @classmethod
    def from_code(cls, code: str) -> SendFailure:
        """Return the failure of a stored code; for one that this version does not know, a failure of the connection."""
        name, _, detail = code.partition(" ")
        cause = next((each for each in get_args(Cause) if each == name), None)
        return cls(cause, detail) if cause is not None else cls("connection")


EXPECTED = (MailRefused, OSError, httpx2.HTTPError, httpx2.InvalidURL, ValueError)
"""What sending raises where the network, the receiver or an address is the cause."""


class NoticeSender:
    """Sends notices. It has one HTTP client, which honours the proxy and the certificate authorities of the environment.

    Args:
        transport: replaces the network in tests.
        clock: the time of signatures.
        seconds: the time limit of one attempt.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        transport: httpx2.AsyncBaseTransport | None = None,
        seconds: float = SEND_SECONDS,
    ) -> None:
        self._clock = clock
        self._transport = transport
        self._seconds = seconds
        self._client: httpx2.AsyncClient | None = None

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def send(self, channel: Channel, notice: Notice) -> SendFailure | None:
        """Send a notice once. Return None, or why it was not delivered."""
        try:
            with anyio.fail_after(self._seconds):
                if channel.kind == "email":
                    await use_mail(channel, self._seconds, notice, message_id(channel, notice))
                    return None
                return await self._post(build_notice_request(channel, notice, self._clock()))
        except EXPECTED as error:
            return failure_of(error)

    async def connect(self, channel: Channel) -> SendFailure | None:
        """Connect to a receiver without sending anything: to a mail server with the login, to others without their secret address."""
        try:
            with anyio.fail_after(self._seconds):
                if channel.kind == "email":
                    await use_mail(channel, self._seconds)
                    return None
                async with self._http_client().stream("HEAD", origin_of(channel)):
                    return None  # any answer shows that the way is free
        except EXPECTED as error:
            return failure_of(error)

    async def _post(self, request: OutgoingRequest) -> SendFailure | None:
        client = self._http_client()
        async with client.stream("POST", request.url, content=request.content, headers=request.headers) as answer:
            try:
                await read_limited(answer, MAX_ANSWER_BYTES)
            except ResponseTooLarge:
                return None if answer.is_success else SendFailure("answer")
            return _failure_of(answer)

    def _http_client(self) -> httpx2.AsyncClient:
        if self._client is None:
            self._client = httpx2.AsyncClient(
                transport=self._transport, timeout=self._seconds, follow_redirects=False, max_redirects=0
            )
        self._client.cookies.clear()
        return self._client


def failure_of(error: Exception) -> SendFailure:
    """Return an error of the network as a cause, without its text, which can have an address."""
    match error:
        case MailRefused():
            return SendFailure("mail", error.status, repeatable=error.repeatable)
        case httpx2.HTTPStatusError():
            return _failure_of(error.response) or SendFailure("answer")
        case TimeoutError() | httpx2.TimeoutException():
            return SendFailure("timeout")
        case httpx2.ProxyError():
            return SendFailure("proxy")
        case ResponseTooLarge():
            return SendFailure("answer")
    return SendFailure("certificate" if _is_certificate_error(error) else "connection")


def _failure_of(answer: httpx2.Response) -> SendFailure | None:
    status = answer.status_code
    if answer.is_success:
        return None
    if status in REDIRECTS:
        return SendFailure("redirect", repeatable=False)
    repeatable = status in REPEATABLE_STATUSES or status in SERVER_ERRORS
    return SendFailure("status", str(status), repeatable=repeatable, retry_after=_retry_after(answer))


def _retry_after(answer: httpx2.Response) -> float | None:
    """Return the seconds of `Retry-After`, bounded. Its form with a date is not used by these providers."""
    try:
        seconds = float(answer.headers.get("Retry-After", ""))
    except ValueError:
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER) if math.isfinite(seconds) else None


def _is_certificate_error(error: BaseException) -> bool:
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        if isinstance(cause, ssl.SSLError):
            return True
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__
    return False
