"""`saasus-mcp approvals`: list, show and watch approvals. Needs neither credentials nor a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from functools import partial

import click

from saasus_mcp.cli import state
from saasus_mcp.cli.approvals import approval_view, approval_watch
from saasus_mcp.cli.command_line import INTERRUPTED, argument, command, option
from saasus_mcp.cli.completion import complete_codes
from saasus_mcp.cli.options import make_json_option, settings_options
from saasus_mcp.cli.output import print_json, print_list
from saasus_mcp.cli.question_view import terminal_reader
from saasus_mcp.cli.terminal import format_json, is_terminal, say
from saasus_mcp.cli.times import format_time, iso_time
from saasus_mcp.common.messages import message
from saasus_mcp.permissions.question import stored_question
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.settings import Settings
from saasus_mcp.store.records import Approval

COLOURS = {"pending": "yellow", "approved": "green", "rejected": "red", "used": "green"}


@command(help="cli_help.command.approvals")
@argument("code", required=False, shell_complete=complete_codes)
@make_json_option("cli_help.option.approvals_json")
@option("--all", "decided", is_flag=True, help="cli_help.option.approvals_all")
@option("--watch", is_flag=True, help="cli_help.option.watch")
@option("--bell", is_flag=True, help="cli_help.option.bell")
@settings_options("lang", "time_zone")
def approvals(settings: Settings, *, code: str | None, as_json: bool, decided: bool, watch: bool, bell: bool) -> None:
    """Print the approvals, or one of them, or watch them."""
    if code is not None:
        _show(settings, code, as_json=as_json)
    elif watch:
        _watch(settings, as_json=as_json, decided=decided, bell=bell)
    else:
        _list(settings, as_json=as_json, decided=decided)


def _list(settings: Settings, *, as_json: bool, decided: bool) -> None:
    now, reader = time.time(), terminal_reader(settings)
    with state.open_stores(settings) as stores:
        found = approval_view.list_approvals(stores, now, decided=decided)
    if as_json:
        print_json([approval_view.approval_json(approval) for approval in found])
    elif not found:
        say(message("cli_approvals.none" if decided else "cli_approvals.nothing_pending"))
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


def _show(settings: Settings, code: str, *, as_json: bool) -> None:
    now, reader = time.time(), terminal_reader(settings)
    with state.open_stores(settings) as stores:
        approval = approval_view.find_approval(stores, code, now)
    if as_json:
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


def _watch(settings: Settings, *, as_json: bool, decided: bool, bell: bool) -> None:
    """Print the events, one a line, until Ctrl+C."""
    reader, has_reader = terminal_reader(settings), is_terminal(sys.stdout)
    if has_reader and not as_json:
        say(message("cli_approvals.watching"))
    pause = partial(time.sleep, approval_watch.POLL_SECONDS)
    try:
        with state.open_state(settings) as stores:
            for event in approval_watch.watch_approvals(stores, pause, decided=decided):
                ring = "\a" if bell and has_reader and event.kind == "pending" else ""
                if as_json:
                    record = {
                        "event": event.kind,
                        "at": iso_time(event.at),
                        **approval_view.approval_json(event.approval),
                    }
                    click.echo(format_json(record, indent=None) + ring)
                else:
                    say(approval_watch.event_line(event, reader, "\n    " if has_reader else "  ") + ring)
    except KeyboardInterrupt:
        if has_reader:
            click.echo()
        sys.exit(INTERRUPTED)
