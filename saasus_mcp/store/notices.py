"""The outbox of notices: events are added in the transaction in which they happen, and delivered later to each channel.

A process that sends claims one delivery for a short time. If it dies, another process claims it again after that time.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update

from saasus_mcp.store.database.engine import Database, insert_once
from saasus_mcp.store.database.schema import approvals, mutes, notice_deliveries, notices
from saasus_mcp.store.notice_records import ChannelState, Delivery, DeliveryStatus, Mute, NoticeEvent, NoticeKind

MAX_UNROUTED = 1_000
"""Events that wait for a server with channels. Of more, the oldest are deleted."""
MAX_PENDING = 500
"""Deliveries of one channel that wait. Further ones are dropped."""
ROUTED_AT_ONCE = 100
MAX_ERROR = 200
_DECISIONS: Mapping[str, NoticeKind] = {"approved": "approval_approved", "rejected": "approval_rejected"}

_unrouted = notices.c.routed.is_(False)


def add_event(connection: Connection, event: NoticeEvent) -> None:
    """Add an event, in the transaction in which it happens. The same event is added once."""
    values = {"id": event.id, "kind": event.kind, "profile": event.profile, "at": event.at, "routed": False}
    insert_once(connection, notices, {**values, "data": json.dumps(event.data)})
    if connection.execute(select(func.count()).select_from(notices).where(_unrouted)).scalar_one() > MAX_UNROUTED:
        newest = select(notices.c.id).where(_unrouted).order_by(notices.c.at.desc()).limit(MAX_UNROUTED)
        connection.execute(delete(notices).where(_unrouted, notices.c.id.not_in(newest)))


def decision_event(code: str, profile: str, status: str, at: float, by_name: str = "") -> NoticeEvent | None:
    """Return the event of a decision on an approval; None for a status that no person sets.

    Args:
        by_name: display name of the person who decided; may be empty.
    """
    kind = _DECISIONS.get(status)
    if kind is None:
        return None
    event = approval_event(code, profile, kind, at)
    return replace(event, data={**event.data, "by_name": by_name}) if by_name else event


class NoticeOutbox:
    """The events of one SaaS, and their deliveries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, event: NoticeEvent) -> None:
        """Add an event that nothing else in the store records."""
        with self._database.transaction() as connection:
            add_event(connection, event)

    def add_expired_approvals(self, since: float, now: float) -> None:
        """Add an event for each approval that expired undecided after `since`. Repetition is harmless."""
        ended = (approvals.c.status == "pending", approvals.c.expires_at > since, approvals.c.expires_at <= now)
        with self._database.transaction() as connection:
            for row in connection.execute(select(approvals).where(*ended).limit(MAX_UNROUTED)):
                add_event(connection, approval_event(row.code, row.profile, "approval_expired", row.expires_at))

    def route(self, profiles: Collection[str], choose: Callable[[NoticeEvent], Collection[str]], now: float) -> None:
        """Create the deliveries of new events.

        Args:
            profiles: the profiles whose events this process sends. Events of every profile are sent by each process.
            choose: returns the channels of an event.
        """
        wanted = (_unrouted, notices.c.profile.in_([*profiles, ""]))
        query = select(notices).where(*wanted).order_by(notices.c.at).limit(ROUTED_AT_ONCE)
        if self._database.row(query) is None:
            return
        with self._database.transaction() as connection:
            events = [_event(row) for row in connection.execute(query.with_for_update(skip_locked=True))]
            for event in events:
                for channel in choose(event):
                    _add_delivery(connection, event.id, channel, now)
            if events:
                done = notices.c.id.in_([event.id for event in events])
                connection.execute(update(notices).where(done).values(routed=True))

    def due_channels(self, channels: Collection[str], now: float) -> set[str]:
        """Return those of the channels that have a delivery to send now."""
        due = (notice_deliveries.c.status == "pending", notice_deliveries.c.due_at <= now)
        own = notice_deliveries.c.channel.in_(list(channels))
        rows = self._database.rows(select(notice_deliveries.c.channel).where(*due, own).distinct())
        return {row.channel for row in rows}

    def claim(self, channel: str, now: float, seconds: float) -> Delivery | None:
        """Claim the next delivery of a channel for some seconds. Other processes do not get it during that time.

        The attempt is counted here, before it is made. A request for an approval comes first: it is worth something for minutes only.
        """
        table = notice_deliveries
        due = (table.c.channel == channel, table.c.status == "pending", table.c.due_at <= now)
        query = (
            select(table.c.channel, table.c.attempts, table.c.error, notices)
            .join(notices, notices.c.id == table.c.notice)
            .where(*due)
            .order_by(notices.c.kind != "approval_requested", table.c.due_at, notices.c.at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        with self._database.transaction() as connection:
            row = connection.execute(query).first()
            if row is None:
                return None
            lease, attempts = secrets.token_hex(8), row.attempts + 1
            values = {"attempts": attempts, "due_at": now + seconds, "lease": lease}
            connection.execute(update(table).where(table.c.notice == row.id, table.c.channel == channel).values(values))
            return Delivery(_event(row), channel, attempts, lease, row.error)

    def finish(self, delivery: Delivery, status: DeliveryStatus, at: float, error: str = "") -> None:
        """End a claimed delivery, unless another process has claimed it in the meantime."""
        self._update_claimed(delivery, status=status, ended_at=at, error=error[:MAX_ERROR])

    def postpone(self, delivery: Delivery, due_at: float, error: str) -> None:
        """Plan another attempt of a claimed delivery."""
        self._update_claimed(delivery, due_at=due_at, error=error[:MAX_ERROR])

    def _update_claimed(self, delivery: Delivery, **values: Any) -> None:
        table = notice_deliveries
        own = (
            table.c.notice == delivery.event.id,
            table.c.channel == delivery.channel,
            table.c.lease == delivery.lease,
        )
        self._database.change(update(table).where(*own).values(**values, lease=""))

    def channel_states(self) -> list[ChannelState]:
        """Return the state of every channel that had a delivery in the last days."""
        table = notice_deliveries
        group = (table.c.channel, table.c.status)
        counts: dict[str, dict[DeliveryStatus, int]] = {}
        ended: dict[tuple[str, DeliveryStatus], float] = {}
        with self._database.read_transaction(long_running=False) as connection:
            query = select(*group, func.count().label("count"), func.max(table.c.ended_at).label("last")).group_by(
                *group
            )
            for row in connection.execute(query):
                counts.setdefault(row.channel, {})[row.status] = row[2]
                ended[row.channel, row.status] = row.last
            errors = (
                select(table.c.channel, table.c.error)
                .where(table.c.error != "", table.c.status != "dropped")
                .order_by(table.c.due_at)
            )
            last_error = {row.channel: row.error for row in connection.execute(errors)}
        return [
            ChannelState(name, by_status, ended.get((name, "sent")), last_error.get(name, ""))
            for name, by_status in sorted(counts.items())
        ]

    # -- mutes, in the store of decisions on every SaaS ------------------------------------------------------------

    def mute(self, mute: Mute) -> None:
        """Silence a channel until a time. A time in the past ends the silence."""
        with self._database.transaction() as connection:
            same = (mutes.c.channel == mute.channel, mutes.c.profile == mute.profile)
            connection.execute(delete(mutes).where(*same))
            connection.execute(mutes.insert().values(**asdict(mute)))

    def active_mutes(self, now: float) -> list[Mute]:
        """Return the channels that are silent now."""
        rows = self._database.rows(select(mutes).where(mutes.c.until > now).order_by(mutes.c.channel))
        return [Mute(**row._asdict()) for row in rows]


def _add_delivery(connection: Connection, notice: str, channel: str, now: float) -> None:
    waiting = (notice_deliveries.c.channel == channel, notice_deliveries.c.status == "pending")
    count = connection.execute(select(func.count()).select_from(notice_deliveries).where(*waiting)).scalar_one()
    status = "pending" if count < MAX_PENDING else "dropped"
    values = {"notice": notice, "channel": channel, "status": status, "attempts": 0, "due_at": now}
    insert_once(connection, notice_deliveries, {**values, "lease": "", "error": ""})


def approval_event(code: str, profile: str, kind: NoticeKind, at: float) -> NoticeEvent:
    return NoticeEvent(f"approval:{code}:{kind}", kind, profile, at, {"code": code})


def _event(row: Row[Any]) -> NoticeEvent:
    return NoticeEvent(row.id, row.kind, row.profile, row.at, json.loads(row.data))
