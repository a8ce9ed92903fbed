"""What becomes of approvals while it happens: looked for in every store, over and over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Self, TypeVar

import click

from saasus_mcp.cli import state
from saasus_mcp.cli.approvals import approval_view
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.common import timezones
from saasus_mcp.common.text import quote_name
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.store import Approval, ApprovalStatus, Store
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.stores import Stores

Polled = TypeVar("Polled")
POLL_SECONDS = 1.0
"""Seconds from one look to the next."""

EventKind = Literal["pending", "approved", "rejected", "used", "expired", "withdrawn"]


@dataclass(frozen=True, slots=True)
class ApprovalEvent:
    """What became of an approval, and when as far as is known: epoch seconds."""

    kind: EventKind
    approval: Approval
    at: float


def watch_approvals(
    kept: Stores, pause: Callable[[], object], *, decided: bool = False, clock: Callable[[], float] = time.time
) -> Iterator[ApprovalEvent]:
    """What waits in the stores, oldest first, and from then on all that happens to approvals. Never ends.

    Args:
        pause: waits from one look to the next.
        decided: whether it begins also with what was decided on or has expired.
    """
    known: dict[tuple[str, str], ApprovalStatus] = {}
    with _Open(kept) as stores:
        first, since = True, 0.0 if decided else clock()
        while True:
            now = clock()
            for approval in stores.approvals(now, since):
                before = known.get((approval.saas_id, approval.code))
                known[approval.saas_id, approval.code] = approval.status
                if before != approval.status and (not first or decided or approval.status == "pending"):
                    yield from _news(approval, now)
            first, since = False, now
            pause()


def event_line(news: ApprovalEvent, reader: Reader) -> str:
    """The news on one line."""
    language, approval = reader.language, news.approval
    words, at = WORDS[language], timezones.format_instant(news.at, reader.zone)
    said = words[news.kind]
    if news.kind == "pending":
        said += f" ({approval_view.time_left_text(approval, news.at, language)})"
    elif news.kind in ("approved", "rejected"):
        said += words["decided_by"].format(by=quote_name(approval.decided_by or "?", language))
        said += approval_view.reason_text(approval, language)
    subject, requester = approval_view.headline(approval, reader), approval_view.requester_text(approval, language)
    return f"{at}  {approval.code}  {said}  {subject}  {requester}"


def event_json(news: ApprovalEvent) -> dict[str, Any]:
    """The news for programs."""
    return {"event": news.kind, "at": news.at, **approval_view.approval_json(news.approval)}


def _news(approval: Approval, now: float) -> Iterator[ApprovalEvent]:
    if approval.status == "stale":
        if approval.expires_at > now:
            yield ApprovalEvent("withdrawn", approval, now)
        else:
            yield ApprovalEvent("expired", approval, approval.expires_at)
        return
    since: dict[ApprovalStatus, float | None] = {
        "pending": approval.requested_at,
        "approved": approval.decided_at,
        "rejected": approval.decided_at,
    }
    yield ApprovalEvent(approval.status, approval, since.get(approval.status) or now)


class _Open:
    """Every store there is, kept open from one look to the next, and opened anew when there are others."""

    def __init__(self, kept: Stores) -> None:
        self._kept = kept
        self._until = ExitStack()
        self._names: list[str] = []
        self._open: list[Store] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._until.close()

    def approvals(self, now: float, since: float) -> list[Approval]:
        """Those that can have changed since a time, oldest first. A store that cannot be read is said, and tried again."""
        found: list[Approval] = []
        for store in self._tried(self._present):
            found += self._tried(partial(store.list_approvals, now, since=since))
        return sorted(found, key=lambda approval: approval.requested_at)

    def _present(self) -> list[Store]:
        names = self._kept.names
        if names != self._names:
            self._until.close()
            self._open = self._until.enter_context(state.open_named_stores(self._kept))
            self._names = names
        return self._open

    @staticmethod
    def _tried(look: Callable[[], list[Polled]]) -> list[Polled]:
        try:
            return look()
        except StoreError as error:
            click.echo(f"saasus-mcp: {error}", err=True)
            return []
