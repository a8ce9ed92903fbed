"""Watch approvals: poll every store for new, decided, used and expired ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar

from saasus_mcp.cli import state
from saasus_mcp.cli.approvals import approval_view
from saasus_mcp.cli.terminal import warn
from saasus_mcp.common import timezones
from saasus_mcp.common.messages import one_of
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.records import Approval, ApprovalStatus
from saasus_mcp.store.stores import Stores

Polled = TypeVar("Polled")
POLL_SECONDS = 1.0

EventKind = Literal["pending", "approved", "rejected", "used", "expired", "withdrawn"]


@dataclass(frozen=True, slots=True)
class ApprovalEvent:
    """A change of an approval.

    Attributes:
        at: epoch seconds, as far as they are known.
    """

    kind: EventKind
    approval: Approval
    at: float


def watch_approvals(
    stores: Stores, pause: Callable[[], object], *, decided: bool = False, clock: Callable[[], float] = time.time
) -> Iterator[ApprovalEvent]:
    """Yield the pending approvals, oldest first, and then every change of approvals, for ever.

    Args:
        pause: waits from one poll to the next.
        decided: begin also with the approvals that were decided or have expired.
    """
    known: dict[tuple[str, str], ApprovalStatus] = {}
    with ExitStack() as until:
        present = state.PresentStores(stores, until)
        first, since = True, 0.0 if decided else clock()
        while True:
            now = clock()
            for approval in _changed_approvals(present, now, since):
                before = known.get((approval.saas_id, approval.code))
                known[approval.saas_id, approval.code] = approval.status
                if before != approval.status and (not first or decided or approval.status == "pending"):
                    yield _event(approval, now)
            first, since = False, now
            pause()


def event_line(event: ApprovalEvent, reader: Reader, between: str = "  ") -> str:
    """Return the event, with the requester after `between`."""
    language, approval = reader.language, event.approval
    status = one_of("cli_approvals.status", event.kind)
    if event.kind in ("approved", "rejected"):
        text = approval_view.decision_text(status, approval, language)
    else:
        pending = event.kind == "pending"
        text = (approval_view.pending_text(approval, event.at) if pending else status).text(language)
    at = timezones.format_instant(event.at, reader.zone)
    requester = approval_view.requester_text(approval, language).text(language)
    return f"{at}  {approval.code}  {text}  {approval_view.headline(approval, reader)}{between}{requester}"


def _event(approval: Approval, now: float) -> ApprovalEvent:
    if approval.status == "stale":
        if approval.expires_at > now:
            return ApprovalEvent("withdrawn", approval, now)
        return ApprovalEvent("expired", approval, approval.expires_at)
    since: dict[ApprovalStatus, float | None] = {
        "pending": approval.requested_at,
        "approved": approval.decided_at,
        "rejected": approval.decided_at,
    }
    return ApprovalEvent(approval.status, approval, since.get(approval.status) or now)


def _changed_approvals(present: state.PresentStores, now: float, since: float) -> list[Approval]:
    """Return the approvals that can have changed since a time, oldest first.

    A store that cannot be read is reported, and read again with the next poll.
    """
    found: list[Approval] = []
    for store in _try(lambda: list(present.by_name().values())):
        found += _try(partial(store.list_approvals, now, since=since))
    return sorted(found, key=lambda approval: approval.requested_at)


def _try(read: Callable[[], list[Polled]]) -> list[Polled]:
    try:
        return read()
    except StoreError as error:
        warn(error)
        return []
