"""Step 7 of a call: send the request within the call's deadline. A write is sent once; an idempotent read may be retried."""

from __future__ import annotations

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
from saasus_mcp.common.fetch import ResponseTooLarge, read_limited
from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.saasus import network_errors
from saasus_mcp.saasus.deadline import NO_DEADLINE, Deadline
from saasus_mcp.saasus.redaction import KnownSecrets
from saasus_mcp.saasus.request import ApiRequest
from saasus_mcp.saasus.route import Route
from saasus_mcp.saasus.signature import Clock, Credentials, SaasusSignature, now
from saasus_mcp.saasus.tracing import attempt_span, record_status

DEFAULT_API = "https://api.saasus.io"
TRACE_HEADER = "X-Saasus-Trace-Id"
TRACE = re.compile(r"[A-Za-z0-9_.:=-]{1,128}")
HEADERS = {
    "Accept-Encoding": "gzip, deflate",
    "Connection": "keep-alive",
    "User-Agent": "saasus-mcp",
    "Accept": "application/json",
}
ATTEMPTS = 3
FIRST_WAIT = 0.2
"""Seconds before the second attempt. Each further wait is twice as long, less a random part."""
MAX_WAIT = 20.0
"""The longest Retry-After, in seconds, that is waited for. A longer one is reported instead."""
MIN_ATTEMPT_SECONDS = 1.0
"""Seconds that must be left for another attempt."""
MAX_CONNECT_SECONDS = 10.0
NO_TIME = message("api.no_time")
NO_TIME_HINT = message("api.no_time_hint")
MAX_RESPONSE_BYTES = 64 * 1024 * 1024
RETRIABLE_STATUSES = frozenset({429, 500, 502, 503, 504})

for _logger in ("httpx2", "httpcore2"):
    # Below WARNING these log URLs and headers, and so tokens in queries and the signature.
    logging.getLogger(_logger).setLevel(logging.WARNING)


class RetryObserver(Protocol):
    """Receives a failed attempt before the next one: its number, the limit of attempts, and the reason."""

    async def __call__(self, number: int, most: int, reason: str) -> None: ...


async def ignore_retries(number: int, most: int, reason: str) -> None:
    """Observe nothing."""


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A response with its body as it came. Nothing in it is trusted yet.

    Attributes:
        date: the API's clock, to detect clock skew.
        retry_after: the seconds after which the API accepts another call, or None if it names none.
    """

    status: int
    content_type: str
    body: bytes
    trace_id: str
    date: datetime | None = None
    retry_after: float | None = None


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
        self._signature = SaasusSignature(credentials, clock)
        self._replaced = transport
        self._sleep = sleep
        self.secrets = KnownSecrets((credentials.api_key, credentials.secret_key))

    @cached_property
    def _route(self) -> Route:
        """Open the route at the first call: reading the system's certificates takes longer than listing tools."""
        return Route(self._replaced) if self._replaced is not None else Route.open(httpx2.URL(self._base))

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
    ) -> ApiResponse:
        """Return the API's response, with any status.

        An idempotent read is tried up to three times after connection errors, 429 and 5xx. Retry-After is honoured. Anything
        else is sent once. Attempts and waits end by the deadline.

        Args:
            on_retry: called before each wait.

        Raises:
            SendFailed: there was no response.
        """
        limit = ATTEMPTS if operation.retriable else 1
        for number in range(1, limit + 1):
            ended = await self._attempt(operation, request, trace_id, deadline)
            wait = _wait(ended, number)
            time_left = deadline.seconds_left()
            if number == limit or wait is None or wait > MAX_WAIT or wait + MIN_ATTEMPT_SECONDS > time_left:
                break
            await on_retry(number, limit, _reason(ended))
            await self._sleep(wait)
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
        url = httpx2.URL(self._base + request.target)
        response = None
        try:
            with attempt_span(operation, trace_id) as span, anyio.fail_after(seconds):
                signed = self._signed(request, url, trace_id)
                signed.extensions = {"timeout": _timeouts(seconds), "trace": trace}
                response = await route.transport.handle_async_request(signed)
                try:
                    body = await read_limited(response, MAX_RESPONSE_BYTES)
                finally:
                    await response.aclose()
                record_status(span, response.status_code)
        except Exception as error:
            # Only the way through a proxy reports what it sent: there, libraries raise errors of many kinds.
            if isinstance(error, network_errors.NOT_SENT) or (route.proxy and not trace.sent):
                return _not_sent(network_errors.classify_error(error, url, trace))
            if not isinstance(error, (httpx2.HTTPError, TimeoutError, ResponseTooLarge)):
                raise
            return _lost(operation, error, seconds, responded=response is not None)
        return _response(response, body, trace_id)

    def _signed(self, request: ApiRequest, url: httpx2.URL, trace_id: str) -> httpx2.Request:
        """Return the request of one attempt."""
        headers = {**HEADERS, TRACE_HEADER: trace_id}
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        built = httpx2.Request(request.method, url, headers=headers, content=request.body)
        return next(self._signature.auth_flow(built))


def _timeouts(seconds: float) -> dict[str, float]:
    """Return the time limits of one attempt, as transports read them."""
    return {"pool": seconds, "connect": min(MAX_CONNECT_SECONDS, seconds / 2), "read": seconds, "write": seconds}


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


def _response(response: httpx2.Response, body: bytes, trace_id: str) -> ApiResponse:
    returned_id = response.headers.get(TRACE_HEADER, "")
    return ApiResponse(
        status=response.status_code,
        content_type=response.headers.get("Content-Type", ""),
        body=body,
        # A valid trace id enters answers and the audit log unchanged.
        trace_id=returned_id if TRACE.fullmatch(returned_id) else trace_id,
        date=_date(response.headers.get("Date")),
        retry_after=_retry_after(response),
    )


def _date(header: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(header) if header else None
    except (ValueError, OverflowError, TypeError):
        return None


def _retry_after(response: httpx2.Response) -> float | None:
    """Return the seconds of a Retry-After, which is a number or a date."""
    header = response.headers.get("Retry-After", "")
    if header.isdecimal():
        return float(header)
    until = _date(header)
    if until is None:
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)) / timedelta(seconds=1))
