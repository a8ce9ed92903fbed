"""`saasus-mcp approvals`: list, show and watch approvals. Needs neither credentials nor a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Literal

import click

from saasus_mcp.cli import state
from saasus_mcp.cli.approvals import approval_view
from saasus_mcp.cli.command_line import INTERRUPTED, argument, command, option
from saasus_mcp.cli.completion import complete_codes
from saasus_mcp.cli.options import make_json_option, settings_options
from saasus_mcp.cli.output import format_time, iso_time, print_json, print_list
from saasus_mcp.cli.question_view import terminal_reader
from saasus_mcp.cli.serve.hosted_log import FloodFilter
from saasus_mcp.cli.server_log import configure_logging
from saasus_mcp.cli.terminal import format_json, is_terminal, prints_json, say, warn
from saasus_mcp.common import timezones
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.permissions.question import stored_question
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.settings.environment import Settings
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.records import Approval, ApprovalStatus
from saasus_mcp.store.store import Store
from saasus_mcp.store.stores import Stores

POLL_SECONDS = 1.0

EventKind = Literal["pending", "approved", "rejected", "used", "expired", "withdrawn"]
COLOURS = {"pending": "yellow", "approved": "green", "rejected": "red", "used": "green"}


@dataclass(frozen=True, slots=True)
class ApprovalEvent:
    """A change of an approval. `at`: epoch seconds, as far as they are known."""

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
    start = 0.0 if decided else clock()
    with ExitStack() as until:
        reader = _ApprovalReader(state.PresentStores(stores, until), start)
        while True:
            now = clock()
            for approval in reader.changed_approvals(now):
                before = known.get((approval.saas_id, approval.code))
                known[approval.saas_id, approval.code] = approval.status
                is_new = before is not None or approval.status == "pending" or approval.requested_at > start
                if before != approval.status and is_new:
                    yield _event(approval, now)
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


class _ApprovalReader:
    """Reads what has changed since a store was last read. A store that cannot be read is reported once, and read again later.

    Args:
        start: when the watch began.
    """

    def __init__(self, present: state.PresentStores, start: float) -> None:
        self._present = present
        self._start = start
        self._read_at: dict[str, float] = {}
        self._faults: dict[str, StoreError] = {}

    def changed_approvals(self, now: float) -> list[Approval]:
        """Return the approvals that can have changed, oldest first."""
        found: list[Approval] = []
        faults: dict[str, StoreError] = {}
        stores: dict[str, Store | None] = {}
        try:
            stores = self._present.by_name()
        except StoreError as error:
            faults[""] = error
        for name, store in stores.items():
            try:
                found += store.list_approvals(now, since=self._read_at.get(name, self._start)) if store else []
            except StoreError as error:
                faults[name] = error
            else:
                self._read_at[name] = now
        self._report(faults)
        return sorted(found, key=lambda approval: approval.requested_at)

    def _report(self, faults: dict[str, StoreError]) -> None:
        for name in faults.keys() - self._faults:
            warn(faults[name])
        if self._faults and not faults:
            warn(message("cli.stores_back"))
        self._faults = faults


@command(help="cli_help.command.approvals")
@argument("code", required=False, shell_complete=complete_codes)
@make_json_option("cli_help.option.approvals_json")
@option("--all", "decided", is_flag=True, help="cli_help.option.approvals_all")
@option("--watch", is_flag=True, help="cli_help.option.watch")
@option("--bell", is_flag=True, help="cli_help.option.bell")
@settings_options("lang", "time_zone")
def approvals(settings: Settings, *, code: str | None, decided: bool, watch: bool, bell: bool) -> None:
    """Print the approvals, or one of them, or watch them."""
    if code is not None:
        _show(settings, code)
    elif watch:
        _watch(settings, decided=decided, bell=bell)
    else:
        _list(settings, decided=decided)


def _list(settings: Settings, *, decided: bool) -> None:
    now, reader = time.time(), terminal_reader(settings)
    with state.open_stores(settings) as stores:
        found = approval_view.list_approvals(stores, now, decided=decided)
    if prints_json():
        print_json([approval_view.approval_json(approval) for approval in found])
    elif not found:
        say(approval_view.no_approvals(settings, stores, decided=decided))
    else:
        print_list(line for approval in found for line in _approval_lines(approval, now, reader))
        if any(approval.status == "pending" for approval in found):
            say(message("cli_approvals.how_to_decide"))
    stores.require_all()


def _approval_lines(approval: Approval, now: float, reader: Reader) -> Iterator[str]:
    """Yield the headline, the status, and who asked for it when."""
    begin = " " * 11
    yield f"{approval.code}  {click.style(approval_view.headline(approval, reader), bold=True)}"
    yield begin + _status_and_time(approval, now, reader)
    yield f"{begin}{approval_view.requester_text(approval, reader.language).text(reader.language)}"
    yield ""


def _show(settings: Settings, code: str) -> None:
    now, reader = time.time(), terminal_reader(settings)
    with state.open_stores(settings) as stores:
        approval = approval_view.find_approval(stores, code, now)
    if prints_json():
        print_json([approval_view.approval_json(approval)])
        return
    say(f"{approval.code}  {_status_and_time(approval, now, reader)}\n")
    click.echo("\n".join(approval_view.question_lines(approval, reader, details=True)) + "\n")
    if stored_question.load_question(approval) is None:  # a question names the requester itself
        say(approval_view.requester_text(approval, reader.language))
    elif approval.two_person:
        say(message("cli_approvals.two_person"))
    if approval.status == "pending":
        say(message("cli_approvals.decide_this", code=approval.code))


def _status_and_time(approval: Approval, now: float, reader: Reader) -> str:
    language, colour = reader.language, COLOURS.get(approval.status)
    status = click.style(approval_view.status_text(approval, now, language), fg=colour)
    requested = message("cli_approvals.requested_at", at=format_time(approval.requested_at, now, reader))
    return message("cli_approvals.status_and_time", status=status, requested=requested).text(language)


def _watch(settings: Settings, *, decided: bool, bell: bool) -> None:
    """Print the events, one a line, until Ctrl+C."""
    reader, has_reader = terminal_reader(settings), is_terminal(sys.stdout)
    configure_logging(FloodFilter())
    if has_reader and not prints_json():
        say(message("cli_approvals.watching"))
    pause = partial(time.sleep, POLL_SECONDS)
    try:
        with state.open_state(settings) as stores:
            for event in watch_approvals(stores, pause, decided=decided):
                ring = "\a" if bell and has_reader and event.kind == "pending" else ""
                if prints_json():
                    record = {
                        "event": event.kind,
                        "at": iso_time(event.at),
                        **approval_view.approval_json(event.approval),
                    }
                    click.echo(format_json(record, indent=None) + ring)
                else:
                    say(event_line(event, reader, "\n    " if has_reader else "  ") + ring)
    except KeyboardInterrupt:
        if has_reader:
            click.echo()
        sys.exit(INTERRUPTED)
