"""Messages between replicas about requests in progress: answers to questions, and cancellations."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio
from mcp.shared.dispatcher import coerce_request_id
from mcp_types import RequestId

from saasus_mcp.hosting.auth.profile_access import ServedProfile
from saasus_mcp.hosting.sessions.exchange import Exchange
from saasus_mcp.store import StoreError
from saasus_mcp.store.mailboxes import ALIVE_SECONDS, Mailbox, MailboxMessage, MailboxStore

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25
"""Seconds between two looks into the mailboxes. A person takes longer to answer than this delays the answer."""
OPEN_SECONDS = 1.0
"""A request that takes longer gets a mailbox, so that it can be cancelled through any replica."""
TAKE_SECONDS = 3.0
"""Time for a replica to take a message. The client learns whether it did."""
REFRESH_SECONDS = ALIVE_SECONDS / 4
T = TypeVar("T")
CANCEL = "cancel"
ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class PostedMessage:
    """What another replica received for an exchange: the answer to a question, or a cancellation.

    Attributes:
        number: the number of the answered question.
        body: the client's answer.
    """

    kind: str
    number: int = 0
    body: Mapping[str, Any] | None = None


class MailboxService:
    """The mailboxes of the exchanges of one profile at this replica, and those at others."""

    def __init__(self, profile: ServedProfile) -> None:
        self._pipeline = profile.pipeline
        self._refreshed_at = -REFRESH_SECONDS
        self._failing = False

    async def open(self, exchanges: Collection[Exchange]) -> None:
        """Open mailboxes for exchanges that have none.

        Raises:
            StoreError: the store fails.
        """
        new = [each for each in exchanges if not each.has_mailbox]
        if not new:
            return
        rows = [Mailbox(each.id, each.session.key, digest_request_id(each.request_id)) for each in new]
        await self._run(lambda store: store.open(rows))
        for each in new:
            each.has_mailbox = True

    async def close(self, exchange: Exchange) -> None:
        """Close the mailbox of an exchange, if it has one. What remains expires."""
        if exchange.has_mailbox:
            try:
                await self._run(lambda store: store.close([exchange.id]))
            except StoreError:
                log.warning("a mailbox could not be closed, and expires")

    async def collect(self, exchanges: Collection[Exchange]) -> list[tuple[Exchange, PostedMessage]]:
        """Return what arrived for these exchanges and they can use. Nothing if the store fails: the next look finds it."""
        by_id = {each.id: each for each in exchanges}
        collected = []
        try:
            await self.open(exchanges)
            await self._refresh(list(by_id))
            for found in await self._run(lambda store: store.list_messages(list(by_id))):
                exchange, posted = by_id[found.mailbox], self._decrypt(found)
                usable = posted is not None and (posted.kind == CANCEL or exchange.expects(posted.number))
                if posted is not None and usable and await self._take(found.id):
                    collected.append((exchange, posted))
        except StoreError as error:
            if not self._failing:
                log.warning("answers that arrive at other servers wait: %s", error)
            self._failing = True
        else:
            self._failing = False
        return collected

    async def post(self, mailbox: str, session: str, message: PostedMessage) -> bool:
        """Send a message to the replica that works on an exchange. Return False if none has taken it in time.

        Raises:
            StoreError: the store fails.
        """
        posted = await self._put(mailbox, session, message)
        if posted is None:
            return False
        with anyio.move_on_after(TAKE_SECONDS):
            while await self._run(lambda store: store.is_waiting(posted)):  # noqa: ASYNC110 - the store tells nobody
                await anyio.sleep(POLL_SECONDS / 2)
        return not await self._take(posted)

    async def cancel(self, session: str, request_id: RequestId | None = None) -> None:
        """Cancel a request of a session at other replicas, or without an id all of its requests.

        Raises:
            StoreError: the store fails.
        """
        request = None if request_id is None else digest_request_id(request_id)
        for mailbox in await self._run(lambda store: store.find(session, request)):
            await self._put(mailbox, session, PostedMessage(CANCEL))

    async def _put(self, mailbox: str, session: str, message: PostedMessage) -> str | None:
        """Put a message into a mailbox, and return the id of the message, or None if the mailbox is not open."""
        sealed = self._pipeline.encryptor.encrypt([message.kind, message.number, message.body], _purpose(mailbox))
        posted = MailboxMessage(secrets.token_hex(16), mailbox, sealed)
        return posted.id if await self._run(lambda store: store.post(posted, session)) else None

    async def _take(self, message: str) -> bool:
        return await self._run(lambda store: store.take(message))

    async def _refresh(self, identifiers: list[str]) -> None:
        now = anyio.current_time()
        if now - self._refreshed_at >= REFRESH_SECONDS:
            await self._run(lambda store: store.refresh(identifiers))
            self._refreshed_at = now

    def _decrypt(self, message: MailboxMessage) -> PostedMessage | None:
        content = self._pipeline.encryptor.decrypt(message.sealed, _purpose(message.mailbox))
        if content is None:
            log.warning("a message in a mailbox is not from a server with this key")
            return None
        return PostedMessage(*content)

    async def _run(self, query: Callable[[MailboxStore], T]) -> T:
        return await self._pipeline.store_executor(lambda: query(self._pipeline.store.mailboxes))


def digest_request_id(request_id: RequestId | None) -> str:
    """Return the digest of a client's request id, which may be a text of any length."""
    known = None if request_id is None else coerce_request_id(request_id)
    return hashlib.sha256(f"{type(known).__name__} {known}".encode("utf-8", "surrogatepass")).hexdigest()


def _purpose(mailbox: str) -> str:
    return f"message for {mailbox}"
