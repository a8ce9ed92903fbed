"""Step 7 of a call: send the request within the call's deadline. A write is sent once; an idempotent read may be retried."""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from types import TracebackType
from typing import Protocol, Self

import anyio
import httpx2

from saasus_mcp.catalog.model import Operation
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.fetch import ResponseTooLarge
from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.saasus import network_errors
from saasus_mcp.saasus.deadline import NO_DEADLINE, Deadline
from saasus_mcp.saasus.exchange import HttpRequest, HttpResponse, Httpx2Transport
from saasus_mcp.saasus.redaction import KnownSecrets
from saasus_mcp.saasus.request import ApiRequest
from saasus_mcp.saasus.route import Route
from saasus_mcp.saasus.signature import Clock, Credentials, format_timestamp, now, place_of, sign_request
from saasus_mcp.saasus.tracing import NO_SPAN, attempt_span, has_receiver, record_status

DEFAULT_API = "https://api.saasus.io"
TRACE_HEADER = "X-Saasus-Trace-Id"
_TRACE_NAME = TRACE_HEADER.lower().encode()
_READ_HEADERS = frozenset({_TRACE_NAME, b"date", b"retry-after"})
TRACE = re.compile(r"[A-Za-z0-9_.:=-]{1,128}")
HEADERS = (
    ("Accept-Encoding", "gzip, deflate"),
    ("Connection", "keep-alive"),
    ("User-Agent", "saasus-mcp"),
    ("Accept", "application/json"),
)
ATTEMPTS = 3
FIRST_WAIT = 0.2
"""Seconds before the second attempt. Each further wait is twice as long, less a random part."""
MAX_WAIT = 20.0
"""The longest Retry-After, in seconds, that is waited for. A longer one is reported instead."""
MIN_ATTEMPT_SECONDS = 1.0
"""Seconds that must be left for another attempt."""
NO_TIME = message("api.no_time")
NO_TIME_HINT = message("api.no_time_hint")
MAX_RESPONSE_BYTES = 64 * 1024 * 1024
BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
"""A request of these methods without a body says so."""
RETRIABLE_STATUSES = frozenset({429, 500, 502, 503, 504})

for _logger in ("httpx2", "httpcore2"):
    # Below WARNING these log URLs and headers, and so tokens in queries and the signature.
    logging.getLogger(_logger).setLevel(logging.WARNING)


class RetryObserver(Protocol):
    """Receives a failed attempt before the next one: its number, the limit of attempts, and the reason."""

    async def __call__(self, number: int, most: int, reason: str) -> None: ...


RetryGuard = Callable[[], Awaitable[None]]
"""Raises an error if a request may not be sent again."""


async def retry_always() -> None:
    """Let every request be sent again."""


async def ignore_retries(number: int, most: int, reason: str) -> None:
    """Observe nothing."""


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A response with its body as it came. Nothing in it is trusted yet.

    Attributes:
        date: the header with the API's clock, to detect clock skew.
        retry_after: the seconds after which the API accepts another call, or None if it names none.
    """

    status: int
    body: bytes
    trace_id: str
    date: str = ""
    retry_after: float | None = None

    @property
    def sent_at(self) -> datetime | None:
        """The time at which the API answered, by its own clock. None if the response has none."""
        return _parse_date(self.date)


class SendFailed(SaasusMcpError):
    """A request without a response.

    Attributes:
        applied: `not_applied` if nothing of the request was sent, or if it was a read.
        fault: the part of the network that failed, or None if the request was sent.
    """

    def __init__(
        self, message: Message, hint: Message, applied: Outcome, fault: network_errors.NetworkFault | None = None
    ) -> None:
        super().__init__(message, hint)
        self.applied: Outcome = applied
        self.fault = fault


class ApiClient:
    """Sends the requests of one SaaS to one API host.

    Args:
        credentials: the keys that sign requests.
        base_url: the API's origin, without `/v1`.
        timeout: seconds for one attempt, from connecting to the last byte.
        transport: replaces the network, for the sandbox and tests.
        clock: the time in signatures.
        sleep: waits between two attempts.

    Attributes:
        secrets: the keys, to be removed from the API's answers.
    """

    def __init__(
        self,
        credentials: Credentials,
        base_url: str = DEFAULT_API,
        timeout: float = 30.0,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Clock = now,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._timeout = timeout
        self._credentials, self._clock = credentials, clock
        self._replaced = transport
        self._sleep = sleep
        self.secrets = KnownSecrets((credentials.api_key, credentials.secret_key))

    @cached_property
    def _route(self) -> Route:
        """Open the route at the first call: reading the system's certificates takes longer than listing tools."""
        return Route(Httpx2Transport(self._replaced)) if self._replaced else Route.open(self._base_url)

    @cached_property
    def _base_url(self) -> httpx2.URL:
        """The address before the target of each request. It is parsed once: httpx2 looks at each character."""
        return httpx2.URL(self._base)

    @cached_property
    def _host(self) -> str:
        return self._base_url.netloc.decode("ascii")

    @cached_property
    def _place(self) -> str:
        """What is signed of the address before the target."""
        return place_of(self._base_url).rstrip("/")

    @cached_property
    def _is_traced(self) -> bool:
        """Whether spans are received. The SDK that receives them is set up before the first call."""
        return has_receiver()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if "_route" in self.__dict__:
            await self._route.transport.aclose()

    async def send(
        self,
        operation: Operation,
        request: ApiRequest,
        trace_id: str,
        *,
        deadline: Deadline = NO_DEADLINE,
        on_retry: RetryObserver = ignore_retries,
        may_retry: RetryGuard = retry_always,
    ) -> ApiResponse:
        """Return the API's response, with any status.

        An idempotent read is tried up to three times after connection errors, 429 and 5xx. Retry-After is honoured. Anything
        else is sent once. Attempts and waits end by the deadline.

        Args:
            on_retry: called before each wait.
            may_retry: called after each wait; what it raises ends the call.

        Raises:
            SendFailed: there was no response.
        """
        limit = ATTEMPTS if operation.retriable else 1
        for number in range(1, limit + 1):
            ended = await self._attempt(operation, request, trace_id, deadline)
            wait = _wait(ended, number)
            if number == limit or wait is None or wait > MAX_WAIT:
                break
            if wait + MIN_ATTEMPT_SECONDS > deadline.seconds_left():
                break
            await on_retry(number, limit, _reason(ended))
            await self._sleep(wait)
            await may_retry()
        if isinstance(ended, SendFailed):
            raise ended
        return ended

    async def _attempt(
        self, operation: Operation, request: ApiRequest, trace_id: str, deadline: Deadline
    ) -> ApiResponse | SendFailed:
        """Send one signed request. Return the response or the failure."""
        seconds, trace = min(self._timeout, deadline.seconds_left()), network_errors.ConnectionTrace()
        if seconds <= 0:
            return SendFailed(NO_TIME, NO_TIME_HINT, Outcome.NOT_APPLIED)
        try:
            route = self._route
        except network_errors.UNUSABLE as error:
            return _not_sent(network_errors.configuration_fault(error))
        signed = self._signed(request, trace_id, seconds)
        try:
            # asyncio's own timeout costs a third of anyio's.
            with attempt_span(operation, trace_id) if self._is_traced else NO_SPAN as span:
                async with asyncio.timeout(seconds):
                    response = await route.transport.send(signed, trace, MAX_RESPONSE_BYTES)
                if span is not None:
                    record_status(span, response.status)
        except Exception as error:
            # Only the way through a proxy reports what it sent: there, libraries raise errors of many kinds.
            if isinstance(error, network_errors.NOT_SENT) or (route.proxy and not trace.sent):
                return _not_sent(network_errors.classify_error(error, self._base_url, trace))
            if not isinstance(error, (httpx2.HTTPError, TimeoutError, ResponseTooLarge)):
                raise
            return _lost(operation, error, seconds, responded=trace.answered)
        return _api_response(response, trace_id)

    def _signed(self, request: ApiRequest, trace_id: str, seconds: float) -> HttpRequest:
        """Return the request of one attempt, with all its headers."""
        body, place = request.body, self._place + request.target
        headers = [("Host", self._host), *HEADERS, (TRACE_HEADER, trace_id)]
        if body is not None:
            headers += (("Content-Type", "application/json"), ("Content-Length", str(len(body))))
        elif request.method in BODY_METHODS:
            headers.insert(1, ("Content-Length", "0"))
        timestamp = format_timestamp(self._clock())
        signed = sign_request(self._credentials, timestamp, method=request.method, place=place, body=body or b"")
        headers.append(("Authorization", signed))
        return HttpRequest(request.method, f"{self._base_url.scheme}://{place}", headers, body, seconds)


def _wait(ended: ApiResponse | SendFailed, number: int) -> float | None:
    """Return the seconds to wait before another attempt, or None if it would end in the same way.

    Args:
        number: the number of the attempt that ended, from 1.
    """
    if isinstance(ended, SendFailed):
        if ended.fault is not None and ended.fault.cause in network_errors.PERMANENT_CAUSES:
            return None
    elif ended.status not in RETRIABLE_STATUSES:
        return None
    elif ended.retry_after is not None:
        return ended.retry_after
    return FIRST_WAIT * (1 << number) * random.uniform(0.5, 1)  # noqa: S311 - spreads callers, guards nothing


def _reason(ended: ApiResponse | SendFailed) -> str:
    if isinstance(ended, ApiResponse):
        return f"HTTP {ended.status}"
    return "not reachable" if ended.fault is not None else "no answer"


def _not_sent(fault: network_errors.NetworkFault) -> SendFailed:
    return SendFailed(
        message("api.unreachable", cause=fault.message),
        message("api.unreachable_hint", hint=fault.hint),
        Outcome.NOT_APPLIED,
        fault,
    )


def _lost(operation: Operation, error: Exception, seconds: float, *, responded: bool) -> SendFailed:
    """Return the failure of a request that was sent and got no complete response."""
    applied = Outcome.NOT_APPLIED if operation.reads else Outcome.UNKNOWN
    hint = message("api.check_state_hint" if applied is Outcome.UNKNOWN else "api.doctor_hint")
    if isinstance(error, network_errors.TIMEOUTS):
        return SendFailed(
            message("api.unfinished_answer" if responded else "api.no_answer", seconds=seconds), hint, applied
        )
    if isinstance(error, ResponseTooLarge):
        return SendFailed(message("api.response_too_large", limit=MAX_RESPONSE_BYTES // 1024 // 1024), hint, applied)
    return SendFailed(message("api.connection_lost", error=type(error).__name__), hint, applied)


def _api_response(response: HttpResponse, trace_id: str) -> ApiResponse:
    headers = {
        wanted: value.decode("ascii", "replace")
        for name, value in response.headers
        if (wanted := name.lower()) in _READ_HEADERS
    }
    returned_id, retry_after = headers.get(_TRACE_NAME, ""), headers.get(b"retry-after", "")
    return ApiResponse(
        status=response.status,
        body=response.body,
        # A valid trace id enters answers and the audit log unchanged.
        trace_id=returned_id if TRACE.fullmatch(returned_id) else trace_id,
        date=headers.get(b"date", ""),
        retry_after=_retry_after(retry_after) if retry_after else None,
    )


def _parse_date(header: str) -> datetime | None:
    try:
        return parsedate_to_datetime(header) if header else None
    except (ValueError, OverflowError, TypeError):
        return None


def _retry_after(header: str) -> float | None:
    """Return the seconds of a Retry-After, which is a number or a date."""
    if header.isdecimal():
        return float(header)
    until = _parse_date(header)
    if until is None:
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)) / timedelta(seconds=1))
