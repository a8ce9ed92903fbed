"""Step 7 of a call: sending. One pooled client a process; writes go once, idempotent reads may go again."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Literal, Self

import anyio
import httpx2
import stamina

from saasus_mcp.catalog.model import Operation
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.saasus.redaction import KnownSecrets
from saasus_mcp.saasus.request import Request
from saasus_mcp.saasus.signature import Clock, Credentials, SaasusSignature, now
from saasus_mcp.saasus.tracing import answered, span

API = "https://api.saasus.io"
TRACE_HEADER = "X-Saasus-Trace-Id"
TRACE = re.compile(r"[A-Za-z0-9_.:=-]{1,128}")
USER_AGENT = "saasus-mcp"
ATTEMPTS = 3
LONGEST_WAIT = 20.0
CONNECTIONS = 100
"""Open at once, all of them kept for the next calls: a handshake of TLS takes longer than most answers."""
LARGEST_ANSWER = 64 * 1024 * 1024
RETRIABLE_STATUSES = frozenset({429, 500, 502, 503, 504})

for _chatty in ("httpx2", "httpcore2"):
    # Below WARNING they log URLs and headers: tokens in queries, and the signature.
    logging.getLogger(_chatty).setLevel(logging.WARNING)

Applied = Literal["applied", "not_applied", "unknown"]


@dataclass(frozen=True, slots=True)
class Response:
    """What came back: the bytes as they are, none trusted yet. `date` is for judging clock skew."""

    status: int
    content_type: str
    body: bytes
    trace_id: str
    date: datetime | None = None


class SendFailed(SaasusMcpError):
    """No answer came back. `applied` says what is known of the deed: `not_applied` where nothing left this machine."""

    def __init__(self, message: str, mend: str, applied: Applied) -> None:
        super().__init__(message, mend)
        self.applied: Applied = applied


class _TryAgain(Exception):
    """An attempt of an idempotent read ended in a way that another one may not: how, and how long the API asks to wait."""

    def __init__(self, ended: Response | SendFailed, wait: float | None) -> None:
        super().__init__()
        self.ended = ended
        self.wait = wait


class Client:
    """Sends requests of one SaaS to one API host.

    Args:
        credentials: what signs them.
        base_url: the API's origin, without `/v1`.
        timeout: seconds for one attempt, from connecting to the last byte.
        transport: in place of the network: the sandbox or a test.
        clock: the time that signatures carry.

    Attributes:
        secrets: the keys, to be removed from whatever the API answers.
    """

    def __init__(
        self,
        credentials: Credentials,
        base_url: str = API,
        timeout: float = 30.0,
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Clock = now,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._timeout = timeout
        self._signature = SaasusSignature(credentials, clock)
        self._transport = transport
        self.secrets = KnownSecrets((credentials.api_key, credentials.secret_key))

    @cached_property
    def _http(self) -> httpx2.AsyncClient:
        """The pool, made by the first call: reading the system's certificates takes longer than listing tools."""
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        return httpx2.AsyncClient(
            auth=self._signature,
            cookies=no_cookies,
            headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
            timeout=httpx2.Timeout(self._timeout, connect=min(10.0, self._timeout / 2)),
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

    async def send(self, operation: Operation, request: Request, trace_id: str) -> Response:
        """The API's answer, whatever its status.

        An idempotent read is tried up to three times over connection errors, 429 (its Retry-After is honoured) and 5xx;
        anything else goes once.

        Raises:
            SendFailed: there was no answer.
        """
        if not operation.retriable:
            response, _ = await self._attempt(operation, request, trace_id)
            return response
        try:
            return await self._read(operation, request, trace_id)
        except _TryAgain as first:
            return await self._again(operation, request, trace_id, first)

    async def _again(self, operation: Operation, request: Request, trace_id: str, first: _TryAgain) -> Response:
        """What comes of further attempts after a first one, which the library is told of and does not make."""
        # As a context the library sees no arguments: as a caller it would hand them, URLs included, to its log hooks.
        rounds = stamina.retry_context(on=_again, attempts=ATTEMPTS, timeout=None, wait_initial=0.2, wait_max=5.0)
        try:
            async for attempt in rounds:
                with attempt:
                    if attempt.num == 1:
                        raise first
                    return await self._read(operation, request, trace_id)
        except _TryAgain as last:
            if isinstance(last.ended, SendFailed):
                raise last.ended from None
            return last.ended
        raise AssertionError("the last round returns or raises")

    async def _read(self, operation: Operation, request: Request, trace_id: str) -> Response:
        try:
            response, wait = await self._attempt(operation, request, trace_id)
        except SendFailed as failure:
            raise _TryAgain(failure, None) from None
        if response.status in RETRIABLE_STATUSES and (wait or 0) <= LONGEST_WAIT:
            raise _TryAgain(response, wait)
        return response

    async def _attempt(self, operation: Operation, request: Request, trace_id: str) -> tuple[Response, float | None]:
        """One signed attempt: the answer, and the seconds its Retry-After asks for."""
        headers = {TRACE_HEADER: trace_id}
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        url = httpx2.URL(self._base + request.target)
        connected = False
        try:
            with span(operation, trace_id) as current, anyio.fail_after(self._timeout):
                async with self._http.stream(request.method, url, content=request.body, headers=headers) as answer:
                    connected = True
                    body = await _read_body(answer)
                answered(current, answer.status_code)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise _failed(operation, "The SaaSus API could not be reached", type(error).__name__, sent=False) from None
        except (TimeoutError, httpx2.TimeoutException):
            said = "answered but did not finish" if connected else "did not answer"
            raise _failed(
                operation, f"The SaaSus API {said} within {self._timeout:g} s", "timeout", sent=True
            ) from None
        except httpx2.HTTPError as error:
            raise _failed(operation, "The connection broke after the request was sent", type(error).__name__, sent=True) \
                from None  # fmt: skip
        return _response(answer, body, trace_id), _retry_after(answer)


def _again(error: Exception) -> bool | float:
    """What the retry library asks of each error: whether to go again, or after how many seconds."""
    if not isinstance(error, _TryAgain):
        return False
    return True if error.wait is None else error.wait


async def _read_body(answer: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise httpx2.ReadError("the answer is larger than 64 MiB")
    return bytes(body)


def _failed(operation: Operation, message: str, kind: str, *, sent: bool) -> SendFailed:
    applied: Applied = "not_applied" if operation.reads or not sent else "unknown"
    mend = {
        True: "Look at the present state before anything is repeated.",
        False: "Try again; `saasus-mcp doctor` tells what is wrong if it stays so.",
    }[applied == "unknown"]
    return SendFailed(f"{message} ({kind}).", mend, applied)


def _response(answer: httpx2.Response, body: bytes, trace_id: str) -> Response:
    return Response(
        status=answer.status_code,
        content_type=answer.headers.get("Content-Type", ""),
        body=body,
        trace_id=_trace(answer.headers.get(TRACE_HEADER, ""), trace_id),
        date=_date(answer.headers.get("Date")),
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
