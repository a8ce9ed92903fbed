"""Messages between replicas about what is in progress: answers to questions, cancellations, and messages for a stream."""

from __future__ import annotations

import logging
import secrets
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, TypeVar

import anyio

from saasus_mcp.hosting.auth.profile_access import ServedProfile
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.mailboxes import ALIVE_SECONDS, Mailbox, MailboxMessage, MailboxStore

log = logging.getLogger(__name__)

TAKE_SECONDS = 3.0
"""Time for a replica to take a message. The client learns whether it did."""
REFRESH_SECONDS = ALIVE_SECONDS / 4
MAX_TAKEN = 1_000
"""Messages that are remembered as taken. One that is posted again comes within seconds."""
T = TypeVar("T")


class MailboxService:
    """The mailboxes of one kind and profile at this replica, and those at others. Their messages are encrypted.

    Args:
        purpose: of the encryption, before the id of the mailbox: mailboxes of another kind cannot read the messages.
        seconds: between two looks into the mailboxes.
    """

    def __init__(self, profile: ServedProfile, purpose: str, seconds: float) -> None:
        self._pipeline = profile.pipeline
        self._purpose = purpose
        self._seconds = seconds
        self._opened: set[str] = set()
        self._taken: deque[str] = deque(maxlen=MAX_TAKEN)
        self._refreshed_at = -REFRESH_SECONDS
        self._awake = anyio.Event()

    def wake(self) -> None:
        """Begin to look, because something can take messages now."""
        self._awake.set()

    async def run(self, has_receivers: Callable[[], bool], collect: Callable[[], Awaitable[None]]) -> None:
        """Look for messages until cancelled, while something here can take them.

        Args:
            collect: takes what has arrived, and passes it on.
        """
        failing = False
        while True:
            await self._awake.wait()
            await anyio.sleep(self._seconds)
            if not has_receivers():
                self._awake = anyio.Event()
                continue
            try:
                await collect()
                failing = False
            except StoreError as error:  # the next look finds what waits
                if not failing:
                    log.warning("messages that arrive at other servers wait: %s", error)
                failing = True
            except Exception:  # this task serves every request and stream, and must not end
                log.exception("messages of other servers could not be passed on")

    async def open(self, wanted: Iterable[Mailbox]) -> None:
        """Open the mailboxes that are not open yet. Raise StoreError if the store fails."""
        new = [each for each in wanted if each.id not in self._opened]
        if not new:
            return
        identifiers = {each.id for each in new}
        self._opened |= identifiers  # at once: another task must not open them, too
        try:
            await self._run(lambda store: store.open(new))
        except StoreError:
            self._opened -= identifiers
            raise

    async def close(self, mailbox: str) -> None:
        """Close a mailbox, if it is open. What remains expires."""
        if mailbox in self._opened:
            self._opened.discard(mailbox)
            try:
                await self._run(lambda store: store.close([mailbox]))
            except StoreError:
                log.warning("a mailbox could not be closed, and expires")

    async def take_messages(self, wants: Callable[[str, Any], bool]) -> AsyncIterator[tuple[str, Any]]:
        """Yield the mailbox and the content of each message that has arrived, once, however often it was posted.

        Args:
            wants: returns whether a message can be used here. The replica that posted another one takes it back.

        Raises:
            StoreError: the store fails.
        """
        opened, now = list(self._opened), anyio.current_time()
        if not opened:
            return
        if now - self._refreshed_at >= REFRESH_SECONDS:
            await self._run(lambda store: store.refresh(opened))
            self._refreshed_at = now
        for found in await self._run(lambda store: store.list_messages(opened)):
            content = self._pipeline.encryptor.decrypt(found.sealed, f"{self._purpose} {found.mailbox}")
            if content is None:
                log.warning("a message in a mailbox is not from a server with this key")
                continue
            is_repeated = found.id in self._taken
            if (is_repeated or wants(found.mailbox, content)) and await self._take(found.id) and not is_repeated:
                self._taken.append(found.id)
                yield found.mailbox, content

    async def find(self, session: str, request: str | None = None) -> list[str]:
        """Return the mailboxes of a session, or of one of its requests, at any replica that is alive.

        Raises:
            StoreError: the store fails.
        """
        return await self._run(lambda store: store.find(session, request))

    async def put(self, mailbox: str, session: str, content: Any) -> str | None:
        """Put a message into a mailbox of this session. Return its id, or None if no replica that is alive has the mailbox.

        After a commit whose end is unknown it is put there again: it is taken once.

        Raises:
            StoreError: the store fails, or too many messages wait.
        """
        sealed = self._pipeline.encryptor.encrypt(content, f"{self._purpose} {mailbox}")
        posted = MailboxMessage(secrets.token_hex(16), mailbox, sealed)
        give_up_at = anyio.current_time() + TAKE_SECONDS
        while True:
            try:
                return posted.id if await self._run(lambda store: store.post(posted, session)) else None
            except StoreError as error:
                if not error.may_have_written or anyio.current_time() >= give_up_at:
                    raise
            await anyio.sleep(self._seconds)

    async def post(self, mailbox: str, session: str, content: Any) -> bool:
        """Put a message into a mailbox. Return False if no replica has taken it in time: then it is taken back.

        Raises:
            StoreError: the store fails, or too many messages wait.
        """
        posted = await self.put(mailbox, session, content)
        if posted is None:
            return False
        with anyio.move_on_after(TAKE_SECONDS):
            while await self._run(lambda store: store.is_waiting(posted)):  # noqa: ASYNC110 - the store tells nobody
                await anyio.sleep(self._seconds / 2)
        return not await self._take(posted)

    async def _take(self, message: str) -> bool:
        return await self._run(lambda store: store.take(message))

    async def _run(self, query: Callable[[MailboxStore], T]) -> T:
        return await self._pipeline.store_executor(lambda: query(self._pipeline.store.mailboxes))
