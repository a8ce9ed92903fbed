"""Mailboxes: messages of clients for requests that another replica serves, and the sessions that have ended.

The replica that serves a request opens a mailbox for it. Any replica can post to it while that replica is alive.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass

from sqlalchemy import delete, func, insert, select, update

from saasus_mcp.store.database.engine import Database, insert_once, shared_time
from saasus_mcp.store.database.schema import ended_sessions, mailbox_messages, mailboxes
from saasus_mcp.store.errors import StoreError

ALIVE_SECONDS = 5.0
"""A replica that has not refreshed its mailboxes for so long has stopped."""
MAX_WAITING = 128
"""Messages in one mailbox. A request needs one answer at a time and one cancellation; a stream of the older SSE takes bursts."""


class MailboxFull(StoreError):
    """The replica that has a mailbox is alive, and has not taken what is in it yet. The message can be sent again."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The mailbox of one request. `request`: the digest of its id in the session."""

    id: str
    session: str
    request: str


@dataclass(frozen=True, slots=True)
class MailboxMessage:
    """A message in a mailbox, encrypted."""

    id: str
    mailbox: str
    sealed: bytes


class MailboxStore:
    """The mailboxes of every replica. Whether a replica is alive is measured by the clock that they share."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, opened: Iterable[Mailbox]) -> None:
        with self._database.transaction() as connection:
            alive_until = shared_time(connection) + ALIVE_SECONDS
            connection.execute(insert(mailboxes), [{**asdict(each), "alive_until": alive_until} for each in opened])

    def refresh(self, identifiers: Collection[str]) -> None:
        """Report that the replica of these mailboxes is alive."""
        with self._database.transaction() as connection:
            alive_until = shared_time(connection) + ALIVE_SECONDS
            connection.execute(update(mailboxes).where(mailboxes.c.id.in_(identifiers)).values(alive_until=alive_until))

    def close(self, identifiers: Collection[str]) -> None:
        """Delete mailboxes. Their senders take back what is left in them."""
        self._database.change(delete(mailboxes).where(mailboxes.c.id.in_(identifiers)))

    def find(self, session: str, request: str | None = None) -> list[str]:
        """Return the mailboxes of a session, or of one of its requests, whose replica is alive."""
        conditions = [mailboxes.c.session == session]
        if request is not None:
            conditions.append(mailboxes.c.request == request)
        with self._database.read_transaction(long_running=False) as connection:
            conditions.append(mailboxes.c.alive_until > shared_time(connection))
            return list(connection.execute(select(mailboxes.c.id).where(*conditions)).scalars())

    def post(self, message: MailboxMessage, session: str) -> bool:
        """Put a message into a mailbox of this session, once. Return False if no replica that is alive has it.

        Raises:
            MailboxFull: it is full at the moment.
        """
        with self._database.transaction() as connection:
            now = shared_time(connection)
            same = (mailboxes.c.id == message.mailbox, mailboxes.c.session == session, mailboxes.c.alive_until > now)
            if connection.execute(select(mailboxes.c.id).where(*same)).first() is None:
                return False
            waiting = select(func.count()).select_from(mailbox_messages)
            others = (mailbox_messages.c.mailbox == message.mailbox, mailbox_messages.c.id != message.id)
            waiting = waiting.where(*others)
            if connection.execute(waiting).scalar_one() >= MAX_WAITING:
                raise MailboxFull.of("store.mailbox_full")
            insert_once(connection, mailbox_messages, {"at": now, **asdict(message)})
            return True

    def is_waiting(self, message: str) -> bool:
        return self._database.row(select(mailbox_messages.c.id).where(mailbox_messages.c.id == message)) is not None

    def take(self, message: str) -> bool:
        """Delete a message: to act on it, or to take it back. Return False if somebody else did."""
        return self._database.change(delete(mailbox_messages).where(mailbox_messages.c.id == message)) == 1

    def list_messages(self, identifiers: Collection[str]) -> list[MailboxMessage]:
        """Return the messages in mailboxes, oldest first."""
        columns = mailbox_messages.c
        query = select(columns.id, columns.mailbox, columns.sealed).where(columns.mailbox.in_(identifiers))
        rows = self._database.rows(query.order_by(columns.at))
        return [MailboxMessage(row.id, row.mailbox, bytes(row.sealed)) for row in rows]

    # -- sessions --------------------------------------------------------------------------------------------------

    def end_session(self, session: str, until: float) -> None:
        """End a session for every replica. `until` is when its id expires anyway."""
        with self._database.transaction() as connection:
            insert_once(connection, ended_sessions, {"session": session, "until": until})

    def has_ended(self, session: str) -> bool:
        return self._database.row(select(ended_sessions).where(ended_sessions.c.session == session)) is not None
