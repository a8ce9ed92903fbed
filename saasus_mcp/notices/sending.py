"""Send one notice to one channel: bounded in time and size, without redirects, and without the address in any error.

E-mail goes by the SMTP client of the standard library in a thread.
"""

from __future__ import annotations

import contextlib
import math
import smtplib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Literal, get_args

import anyio
import httpx2
from anyio import to_thread

from saasus_mcp.common.fetch import ResponseTooLarge, read_limited
from saasus_mcp.common.messages import Message, one_of
from saasus_mcp.notices.channels import Channel
from saasus_mcp.notices.notice import Notice
from saasus_mcp.notices.payloads import OutgoingRequest, build_notice_request, message_id, origin_of
from saasus_mcp.settings.notices import EmailTable

PORTS = {"tls": 465, "starttls": 587, "none": 25}
GREETING_NAME = "[127.0.0.1]"
"""Given in place of the name of this machine, which would have to be looked up."""
TRANSIENT = range(400, 500)
"""Answers of SMTP after which the same message may be accepted later (RFC 5321, 4.2.1)."""
SEND_SECONDS = 10.0
MAX_ANSWER_BYTES = 64 * 1024
MAX_RETRY_AFTER = 3600.0
"""The longest time that a provider can make its notices wait."""
REPEATABLE_STATUSES = frozenset({408, 425, 429})
"""Client errors that end by themselves. After any other, the same request would fail again."""
REDIRECTS, SERVER_ERRORS = range(300, 400), range(500, 600)
DeliveryCause = Literal[
    "status", "redirect", "timeout", "answer", "certificate", "proxy", "connection", "mail", "too_old", "interrupted"
]


class MailRefused(Exception):
    """The server did not accept the message. `status`: of SMTP."""

    def __init__(self, status: str, *, repeatable: bool) -> None:
        super().__init__(status)
        self.status = status
        self.repeatable = repeatable


async def use_mail(channel: Channel, seconds: float, notice: Notice | None = None, id: str = "") -> None:
    """Connect, log in, and send a notice if there is one. If the caller stops waiting, the connection is closed: no thread stays.

    Raises:
        MailRefused: the server refused the login, the addresses or the message.
        OSError: the server cannot be reached.
    """
    assert isinstance(channel.table, EmailTable)  # noqa: S101 - by its kind
    message = None if notice is None else mail_message(channel.table, notice, id)
    connection = _Connection(channel.table, channel.secrets.get("password", ""), seconds)
    try:
        await to_thread.run_sync(connection.use, message, abandon_on_cancel=True)
    except smtplib.SMTPRecipientsRefused as error:
        statuses = [code for code, _ in error.recipients.values()]
        status = max(statuses, default=550)
        raise MailRefused(str(status), repeatable=status in TRANSIENT) from None
    except smtplib.SMTPResponseException as error:
        raise MailRefused(str(error.smtp_code), repeatable=error.smtp_code in TRANSIENT) from None
    except smtplib.SMTPNotSupportedError:
        raise MailRefused("502", repeatable=False) from None
    finally:
        connection.abort()


def mail_message(table: EmailTable, notice: Notice, id: str) -> EmailMessage:
    """Return the message: plain text, marked as automatic so that no absence note answers it (RFC 3834)."""
    message = EmailMessage()
    message["Subject"] = notice.title
    message["From"] = table.sender
    message["To"] = ", ".join(table.recipients)
    message["Date"] = format_datetime(datetime.fromtimestamp(notice.at, UTC))
    message["Message-ID"] = f"<{id}@{table.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    lines = [notice.title, "", *notice.lines, *(["", notice.link] if notice.link else [])]
    message.set_content("\n".join(lines), cte="base64" if not notice.title.isascii() else None)
    return message


class _Connection:
    def __init__(self, table: EmailTable, password: str, seconds: float) -> None:
        self._table = table
        self._password = password
        self._seconds = seconds
        self._client: smtplib.SMTP | None = None

    def use(self, message: EmailMessage | None) -> None:
        """Connect, log in, and send a message if there is one."""
        table, tls = self._table, ssl.create_default_context()
        port = table.port or PORTS[table.security]
        if table.security == "tls":
            client: smtplib.SMTP = smtplib.SMTP_SSL(local_hostname=GREETING_NAME, timeout=self._seconds, context=tls)
        else:
            client = smtplib.SMTP(local_hostname=GREETING_NAME, timeout=self._seconds)
        self._client = client
        client._host = table.host  # type: ignore[attr-defined]  # noqa: SLF001 - SMTP.connect() does not set the name that starttls() checks
        client.connect(table.host, port)
        try:
            if table.security == "starttls":
                client.starttls(context=tls)
            if table.username is not None:
                client.login(table.username, self._password)
            if message is not None:
                client.send_message(message)
            with contextlib.suppress(smtplib.SMTPException, OSError):  # the message is accepted
                client.quit()
        finally:
            client.close()

    def abort(self) -> None:
        """Close the connection of a thread that may still wait for an answer."""
        found = self._client.sock if self._client is not None else None
        if found is not None:
            with contextlib.suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True, slots=True)
class SendFailure:
    """Why a notice was not delivered.

    Attributes:
        cause: `too_old` and `interrupted` are causes of the worker, which gives a notice up without another attempt.
        detail: the status of HTTP or SMTP.
        repeatable: whether another attempt can succeed.
        retry_after: seconds after which the provider accepts another attempt; None if it names none.
    """

    cause: DeliveryCause
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
        cause = next((each for each in get_args(DeliveryCause) if each == name), None)
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
