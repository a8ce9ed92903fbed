"""Deliver the notices of a server in the background, never in the way of a call.

Each event reaches each channel at least once, or is given up and counted. It is sent once, unless the process ends or the store fails between
the send and its record. A repeated notice has the id of the first one, so that a receiver can recognise it.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import anyio
from anyio.abc import TaskGroup

from saasus_mcp.notices.channels import Channel, NoticeAudience
from saasus_mcp.notices.notice import Notice
from saasus_mcp.notices.rendering import NoticeRenderer
from saasus_mcp.notices.sending import SendFailure
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.notice_records import Delivery, NoticeEvent
from saasus_mcp.store.records import DAY, HOUR
from saasus_mcp.store.store import Store

log = logging.getLogger(__name__)

MUTED, OUTDATED = "muted", "outdated"
"""Why a delivery was dropped."""
TOO_OLD, INTERRUPTED = "too_old", "interrupted"
"""Why a delivery was given up before another attempt: causes of `SendFailure`."""
T = TypeVar("T")


class Sender(Protocol):
    """Sends one notice to one channel."""

    async def send(self, channel: Channel, notice: Notice) -> SendFailure | None:
        """Return None, or why it was not delivered."""
        ...


class QueryExecutor(Protocol):
    """Runs a query of the store, outside the event loop unless a test has a store in memory."""

    async def __call__(self, query: Callable[[], T]) -> T: ...


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """The pace of the worker, in seconds.

    Attributes:
        interval: between two looks into the outbox.
        spacing: between two notices of one channel. Providers accept about one a second.
        claim: after which another process delivers what this one has claimed. Longer than one attempt.
        delays: before each further attempt. The last one repeats.
        lifetime: after which a notice is given up.
        grace: how long the end of the server waits for a notice that is being sent, and for its record.
        attempts: after which a notice is given up. Failures reach the lifetime first; this ends a notice whose sender dies each time.
    """

    interval: float = 1.0
    spacing: float = 1.0
    claim: float = 30.0
    delays: tuple[float, ...] = (5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)
    lifetime: float = DAY
    grace: float = 2.0
    attempts: int = 40
    expiry_interval: float = 15.0


@dataclass(frozen=True, slots=True)
class NoticeSource:
    """One store, and the profiles whose events this process sends from it."""

    open_store: Callable[[], Store]
    profiles: frozenset[str]


class NoticeWorker:
    """Delivers the events of some stores to the channels.

    Args:
        sources: returns the stores, each time the same objects, and new ones when they come.
        decisions: opens the store that has the mutes.
        run: executes queries of the stores.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        audience: NoticeAudience,
        sources: Callable[[], Sequence[NoticeSource]],
        *,
        decisions: Callable[[], Store],
        renderer: NoticeRenderer,
        sender: Sender,
        clock: Callable[[], float],
        run: QueryExecutor,
        config: WorkerConfig | None = None,
    ) -> None:
        self._channels = {channel.name: channel for channel in channels}
        self._audience = audience
        self._sources = sources
        self._decisions = decisions
        self._renderer = renderer
        self._sender = sender
        self._clock = clock
        self._run = run
        self._config = config or WorkerConfig()
        self._sending = set[anyio.CancelScope]()
        self._due: dict[str, dict[NoticeSource, None]] = {}
        self._failing: set[str] = set()
        self._expired_at = 0.0
        self._failed_sources = set[NoticeSource | None]()

    async def run(self) -> None:
        async with anyio.create_task_group() as tasks:
            try:
                while True:
                    await self.look(tasks)
                    await anyio.sleep(self._config.interval)
            finally:
                for scope in self._sending:
                    scope.deadline = anyio.current_time() + self._config.grace

    async def look(self, tasks: TaskGroup) -> None:
        """Create the deliveries of new events, and start to send what is due on the channels that are idle."""
        now = self._clock()
        if with_expired := now - self._expired_at >= self._config.expiry_interval:
            self._expired_at = now
        for source in await self._list_sources():
            try:
                due = await self._run(lambda source=source: self._route(source, now, with_expired=with_expired))  # type: ignore[misc]
            except StoreError as error:
                self._log_store(source, error)
                continue
            self._log_store(source, None)
            for name in due:
                self._begin(name, source, tasks)

    async def _list_sources(self) -> Sequence[NoticeSource]:
        """Return the stores; none while they cannot be listed, which must not end the server."""
        try:
            sources = await self._run(self._sources)
        except StoreError as error:
            self._log_store(None, error)
            return ()
        self._log_store(None, None)
        return sources

    def _begin(self, channel: str, source: NoticeSource, tasks: TaskGroup) -> None:
        """Add a store to those that a channel has something to send from, and start to send unless it does already."""
        if channel in self._due:
            self._due[channel].setdefault(source)
        else:
            self._due[channel] = {source: None}
            tasks.start_soon(self._deliver_due, self._channels[channel], self._due[channel])

    def _route(self, source: NoticeSource, now: float, *, with_expired: bool) -> set[str]:
        outbox = source.open_store().notices
        if with_expired:
            outbox.add_expired_approvals(now - HOUR, now)
        outbox.route(source.profiles, self._choose, now)
        return outbox.due_channels(self._channels, now)

    def _choose(self, event: NoticeEvent) -> list[str]:
        """Return the channels of an event; none for one that is too old to be news."""
        if self._clock() - event.at > self._config.lifetime:
            return []
        wanting = (each for each in self._channels.values() if each.wants(event.kind, event.profile, self._audience))
        return [channel.name for channel in wanting]

    async def _deliver_due(self, channel: Channel, due: dict[NoticeSource, None]) -> None:
        """Send what is due on a channel: one notice of each store in turn, so that no store's backlog delays another."""
        try:
            while due:
                source = next(iter(due))
                del due[source]
                if await self._try_next(source, channel):
                    due[source] = None
                await anyio.sleep(self._config.spacing)
        finally:
            del self._due[channel.name]

    async def _try_next(self, source: NoticeSource, channel: Channel) -> bool:
        try:
            return await self._deliver_next(source, channel)
        except StoreError as error:
            self._log_store(source, error)
            return False

    async def _deliver_next(self, source: NoticeSource, channel: Channel) -> bool:
        """Send the next delivery of a channel. Return False if the channel has nothing to send."""
        outbox, now = source.open_store().notices, self._clock()
        delivery = await self._run(lambda: outbox.claim(channel.name, now, self._config.claim))
        if delivery is None:
            return False
        if given_up := self._reason_to_give_up(delivery, now):
            await self._run(lambda: outbox.finish(delivery, "failed", now, given_up))
            return True
        dropped = await self._reason_to_drop(delivery, now)
        notice = None if dropped else await self._render(source, channel, delivery)
        if notice is None:
            reason = dropped or OUTDATED
            await self._run(lambda: outbox.finish(delivery, "dropped", now, reason))
            return True
        with anyio.CancelScope(shield=True) as scope:
            self._sending.add(scope)
            try:
                failure = await self._sender.send(channel, notice)
                await self._run(lambda: self._record(source, delivery, failure))
                self._log_channel(channel, failure)
            finally:
                self._sending.discard(scope)
        return True

    def _reason_to_give_up(self, delivery: Delivery, now: float) -> str:
        """Return the cause that is stored; empty if another attempt is due. Attempts are counted before they are made."""
        if now - delivery.event.at > self._config.lifetime:
            return delivery.error or TOO_OLD
        return INTERRUPTED if delivery.attempts > self._config.attempts else ""

    async def _reason_to_drop(self, delivery: Delivery, now: float) -> str:
        mutes = await self._run(lambda: self._decisions().notices.active_mutes(now))
        profile = delivery.event.profile
        silent = any(mute.channel == delivery.channel and mute.profile in ("", profile) for mute in mutes)
        return MUTED if silent else ""

    async def _render(self, source: NoticeSource, channel: Channel, delivery: Delivery) -> Notice | None:
        def render() -> Notice | None:
            return self._renderer.render(delivery.event, source.open_store(), channel.reader, self._clock())

        try:
            return await self._run(render)
        except StoreError:
            raise
        except Exception:
            # One event that cannot be shown must end neither the server nor the other notices.
            log.exception("the notice %s cannot be shown", delivery.event.id)
            return None

    def _record(self, source: NoticeSource, delivery: Delivery, failure: SendFailure | None) -> None:
        outbox, now = source.open_store().notices, self._clock()
        if failure is None:
            outbox.finish(delivery, "sent", now)
            return
        delays = self._config.delays
        delay = delays[min(delivery.attempts, len(delays)) - 1] * random.uniform(0.8, 1.2)  # noqa: S311 - only spreads attempts
        due_at = now + max(delay, failure.retry_after or 0.0)
        if not failure.repeatable or due_at - delivery.event.at > self._config.lifetime:
            outbox.finish(delivery, "failed", now, failure.code)
        else:
            outbox.postpone(delivery, due_at, failure.code)

    def _log_channel(self, channel: Channel, failure: SendFailure | None) -> None:
        """Log when a channel begins to fail and when it works again, not every attempt in between."""
        if failure is None:
            if channel.name in self._failing:
                log.warning("notices: channel %s works again", channel.name)
            self._failing.discard(channel.name)
        elif channel.name not in self._failing:
            self._failing.add(channel.name)
            log.warning("notices: channel %s: %s", channel.name, failure.message)

    def _log_store(self, source: NoticeSource | None, error: StoreError | None) -> None:
        """Log the error of a store, or of their list, once until it works again."""
        if error is None:
            self._failed_sources.discard(source)
        elif source not in self._failed_sources:
            self._failed_sources.add(source)
            log.warning("notices wait: %s", error.message)
