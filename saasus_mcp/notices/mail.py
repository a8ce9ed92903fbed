"""Send a notice as e-mail, by the SMTP client of the standard library in a thread."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

from anyio import to_thread

from saasus_mcp.notices.channels import Channel
from saasus_mcp.notices.notice import Notice
from saasus_mcp.settings.notices import EmailTable

PORTS = {"tls": 465, "starttls": 587, "none": 25}
GREETING_NAME = "[127.0.0.1]"
"""Given in place of the name of this machine, which would have to be looked up."""
TRANSIENT = range(400, 500)
"""Answers of SMTP after which the same message may be accepted later (RFC 5321, 4.2.1)."""


class MailRefused(Exception):
    """The server did not accept the message.

    Attributes:
        status: of SMTP.
    """

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
