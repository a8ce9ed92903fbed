"""Step 7 of a call: sending, within the call's deadline. Writes go once, idempotent reads may go again."""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Any, Protocol, Self

import anyio
import httpx2

from saasus_mcp.catalog.model import Operation
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.saasus import network_errors
from saasus_mcp.saasus.deadline import NO_DEADLINE, Deadline
from saasus_mcp.saasus.redaction import KnownSecrets
from saasus_mcp.saasus.request import ApiRequest
from saasus_mcp.saasus.signature import Clock, Credentials, SaasusSignature, now
from saasus_mcp.saasus.tracing import attempt_span, record_status

DEFAULT_API = "https://api.saasus.io"
TRACE_HEADER = "X-Saasus-Trace-Id"
TRACE = re.compile(r"[A-Za-z0-9_.:=-]{1,128}")
USER_AGENT = "saasus-mcp"
ATTEMPTS = 3
FIRST_WAIT = 0.2
"""Seconds; each further wait is twice as long, less a random part."""
MAX_WAIT = 20.0
"""Seconds of a Retry-After that are waited; a longer one is told instead."""
MIN_ATTEMPT_SECONDS = 1.0
"""Seconds that must be left for another attempt to make sense."""
MAX_CONNECT_SECONDS = 10.0
NO_TIME = "Not sent: the reads before the call took too long."
NO_TIME_HINT = "Try again later. SAASUS_MCP_CALL_SECONDS sets the time limit of a call."
CONNECTIONS = 100
"""Open at once, all of them kept for the next calls: a handshake of TLS takes longer than most answers."""
MAX_RESPONSE_BYTES = 64 * 1024 * 1024
RETRIABLE_STATUSES = frozenset({429, 500, 502, 503, 504})

for _chatty in ("httpx2", "httpcore2"):
    # Below WARNING they log URLs and headers: tokens in queries, and the signature.
    logging.getLogger(_chatty).setLevel(logging.WARNING)


class RetryObserver(Protocol):
    """Told between two attempts: which one failed, of how many, and how."""

    async def __call__(self, number: int, most: int, reason: str) -> None: ...


async def ignore_retries(number: int, most: int, reason: str) -> None:
    """Where nobody asked how far a call is."""


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """What came back: the bytes as they are, none trusted yet.

    Attributes:
        date: for judging clock skew.
        retry_after: the seconds after which the API asks to be called again; None where it asks nothing.
    """

    status: int
    content_type: str
    body: bytes
    trace_id: str
    date: datetime | None = None
    retry_after: float | None = None


class SendFailed(SaasusMcpError):
    """No answer came back.

    Attributes:
        applied: `not_applied` where nothing of the request was sent, or it was a read.
        fault: which part of the network failed; None where the request was sent.
    """

    def __init__(
        self, message: str, mend: str, applied: Outcome, fault: network_errors.NetworkFault | None = None
    ) -> None:
        super().__init__(message, mend)
        self.applied: Outcome = applied
        self.fault = fault


class ApiClient:
    """Sends requests of one SaaS to one API host.

    Args:
        credentials: what signs them.
        base_url: the API's origin, without `/v1`.
        timeout: seconds for one attempt, from connecting to the last byte.
        transport: in place of the network: the sandbox or a test.
        clock: the time that signatures carry.
        sleep: waits between two attempts.

    Attributes:
        secrets: the keys, to be removed from whatever the API answers.
    """

    def __init__(  # noqa: PLR0917 - what a client is made of, in the order of use
        self,
        credentials: Credentials,
        base_url: str = DEFAULT_API,
        timeout: float = 30.0,
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Clock = now,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._timeout = timeout
        self._signature = SaasusSignature(credentials, clock)
        self._transport = transport
        self._sleep = sleep
        self.secrets = KnownSecrets((credentials.api_key, credentials.secret_key))

    @cached_property
    def _http(self) -> httpx2.AsyncClient:
        """The pool, made by the first call: reading the system's certificates takes longer than listing tools."""
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        return httpx2.AsyncClient(
            auth=self._signature,
            cookies=no_cookies,
            headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
            limits=httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
            follow_redirects=False,
            transport=self._transport,
            trust_env=self._transport is None,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if "_http" in self.__dict__:
            await self._http.aclose()

    async def send(
        self,
        operation: Operation,
        request: ApiRequest,
        trace_id: str,
        deadline: Deadline = NO_DEADLINE,
        between: RetryObserver = ignore_retries,
    ) -> ApiResponse:
        """Return the API's answer, whatever its status.

        An idempotent read is tried up to three times over connection errors, 429 (its Retry-After is honoured) and 5xx;
        anything else goes once. Waits and attempts end by the deadline.

        Args:
            between: told before each wait which attempt failed and how.

        Raises:
            SendFailed: there was no answer.
        """
        most = ATTEMPTS if operation.retriable else 1
        for number in range(1, most + 1):
            ended = await self._attempt(operation, request, trace_id, deadline)
            wait = _wait(ended, number)
            if (
                number == most
                or wait is None
                or wait > MAX_WAIT
                or wait + MIN_ATTEMPT_SECONDS > deadline.seconds_left()
            ):
                break
            await between(number, most, _reason(ended))
            await self._sleep(wait)
        if isinstance(ended, SendFailed):
            raise ended
        return ended

    async def _attempt(
        self, operation: Operation, request: ApiRequest, trace_id: str, deadline: Deadline
    ) -> ApiResponse | SendFailed:
        """One signed attempt: the API's answer, or why there is none."""
        seconds, watched = min(self._timeout, deadline.seconds_left()), network_errors.ConnectionTrace()
        if seconds <= 0:
            return SendFailed(NO_TIME, NO_TIME_HINT, Outcome.NOT_APPLIED)
        try:
            http = self._http
        except network_errors.UNUSABLE as error:
            return _unsent(network_errors.configuration_fault(error))
        url = httpx2.URL(self._base + request.target)
        connected = False
        try:
            with attempt_span(operation, trace_id) as current, anyio.fail_after(seconds):
                async with http.stream(request.method, url, **_sending(request, trace_id, seconds, watched)) as answer:
                    connected = True
                    body = await _read_body(answer)
                record_status(current, answer.status_code)
        except Exception as error:
            # A transport in place of the network does not tell what it does: there the kind of error decides. On the way to
            # a proxy libraries raise errors of many kinds.
            if isinstance(error, network_errors.NOT_SENT) or (self._transport is None and not watched.sent):
                return _unsent(network_errors.classify_error(error, url, watched))
            if not isinstance(error, (httpx2.HTTPError, TimeoutError)):
                raise
            return _lost(operation, error, seconds, connected=connected)
        return _response(answer, body, trace_id)


def _sending(
    request: ApiRequest, trace_id: str, seconds: float, watched: network_errors.ConnectionTrace
) -> dict[str, Any]:
    """Return what one attempt is sent with."""
    headers = {TRACE_HEADER: trace_id}
    if request.body is not None:
        headers["Content-Type"] = "application/json"
    return {
        "content": request.body,
        "headers": headers,
        "timeout": httpx2.Timeout(seconds, connect=min(MAX_CONNECT_SECONDS, seconds / 2)),
        "extensions": {"trace": watched},
    }


def _wait(ended: ApiResponse | SendFailed, number: int) -> float | None:
    """Return the seconds to wait before another attempt; None where it would end in the same way.

    Args:
        number: of the attempt, from 1.
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


async def _read_body(answer: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > MAX_RESPONSE_BYTES:
            raise httpx2.ReadError("the response is larger than 64 MiB")
    return bytes(body)


def _unsent(fault: network_errors.NetworkFault) -> SendFailed:
    """Return the failure of a request that did not leave."""
    said, mend = fault.words("en")
    again = "Try again. If the problem persists, run `saasus-mcp doctor`."
    return SendFailed(f"The SaaSus API could not be reached: {said}.", f"{mend} {again}", Outcome.NOT_APPLIED, fault)


def _lost(operation: Operation, error: Exception, seconds: float, *, connected: bool) -> SendFailed:
    """Return the failure of a request that was sent and not answered as a whole."""
    applied: Outcome = Outcome.NOT_APPLIED if operation.reads else Outcome.UNKNOWN
    mend = (
        "Check the current state before repeating the call."
        if applied == "unknown"
        else "Try again. If the problem persists, run `saasus-mcp doctor`."
    )
    if isinstance(error, network_errors.TIMEOUTS):
        said = "responded but did not finish" if connected else "did not answer"
        return SendFailed(f"The SaaSus API {said} within {seconds:.2g} s (timeout).", mend, applied)
    return SendFailed(f"The connection broke after the request was sent ({type(error).__name__}).", mend, applied)


def _response(answer: httpx2.Response, body: bytes, trace_id: str) -> ApiResponse:
    return ApiResponse(
        status=answer.status_code,
        content_type=answer.headers.get("Content-Type", ""),
        body=body,
        trace_id=_trace(answer.headers.get(TRACE_HEADER, ""), trace_id),
        date=_date(answer.headers.get("Date")),
        retry_after=_retry_after(answer),
    )


def _trace(theirs: str, ours: str) -> str:
    """The API's trace id where it is one: it goes into answers and the audit as it is."""
    return theirs if TRACE.fullmatch(theirs) else ours


def _date(header: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(header) if header else None
    except (ValueError, OverflowError, TypeError):
        return None


def _retry_after(answer: httpx2.Response) -> float | None:
    """Seconds that a Retry-After asks for, written as a number or as a date."""
    header = answer.headers.get("Retry-After", "")
    if header.isdecimal():
        return float(header)
    until = _date(header)
    if until is None:
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)) / timedelta(seconds=1))
