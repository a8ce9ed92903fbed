"""`saasus-mcp approvals`: what waits for a person. Needs neither credentials nor a terminal."""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import Any

import click

from saasus_mcp.cli import state
from saasus_mcp.cli.approvals import approval_view, approval_watch
from saasus_mcp.cli.options import language_option, load_settings, time_zone_option
from saasus_mcp.cli.question_view import terminal_reader
from saasus_mcp.cli.terminal import format_json, is_terminal
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.settings import Settings
from saasus_mcp.store import Approval

COLOURS = {"pending": "yellow", "approved": "green", "rejected": "red", "used": "green"}


@click.command
@click.argument("code", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON array, questions included; with --watch a line each.")
@click.option("--all", "decided", is_flag=True, help="Also what was decided on, used or has expired.")
@click.option("--watch", is_flag=True, help="Stay, and tell what is asked for, decided, used or expires, until Ctrl+C.")
@click.option("--bell", is_flag=True, help="With --watch, in a terminal: ring when something is asked for.")
@language_option
@time_zone_option
def command(code: str | None, *, as_json: bool, decided: bool, watch: bool, bell: bool, **flags: Any) -> None:
    """List the pending approvals of every SaaS, newest first; with a CODE, show one with its exact request."""
    chosen, now = load_settings(**flags), time.time()
    if code is not None:
        _show(chosen, code, now, as_json=as_json)
        return
    if watch:
        _watch(chosen, as_json=as_json, decided=decided, bell=bell)
        return
    with state.open_stores(chosen) as stores:
        found = approval_view.list_approvals(stores, now, decided=decided)
    if as_json:
        click.echo(format_json([approval_view.approval_json(approval) for approval in found]))
        return
    words = WORDS[chosen.lang]
    if not found:
        click.echo(words["none_waiting"])
        return
    for approval in found:
        click.echo("\n".join(_lines(approval, terminal_reader(chosen), now)) + "\n")
    if any(approval.status == "pending" for approval in found):
        click.echo(words["how_to"])


def _show(chosen: Settings, code: str, now: float, *, as_json: bool) -> None:
    """One approval, whole."""
    with state.open_stores(chosen) as stores:
        approval = approval_view.find_approval(stores, code, now, chosen.lang)
    if as_json:
        click.echo(format_json([approval_view.approval_json(approval)]))
        return
    click.echo(f"{approval.code}  {_status(approval, now, chosen.lang)}\n")
    click.echo("\n".join(approval_view.question_lines(approval, terminal_reader(chosen), details=True)) + "\n")
    click.echo(approval_view.requester_text(approval, chosen.lang))
    if approval.status == "pending":
        click.echo("\n" + WORDS[chosen.lang]["decide"].format(code=approval.code))


def _lines(approval: Approval, who: Reader, now: float) -> list[str]:
    return [
        f"{approval.code}  {click.style(approval_view.headline(approval, who), bold=True)}",
        f"           {_status(approval, now, who.language)}",
        f"           {approval_view.requester_text(approval, who.language)}",
    ]


def _status(approval: Approval, now: float, lang: Language) -> str:
    return click.style(approval_view.status_text(approval, now, lang), fg=COLOURS.get(approval.status))


def _watch(chosen: Settings, *, as_json: bool, decided: bool, bell: bool) -> None:
    """Tell the news, a line each, until a person has seen enough."""
    who, seen_by_a_person = terminal_reader(chosen), is_terminal(sys.stdout)
    if seen_by_a_person and not as_json:
        click.echo(WORDS[chosen.lang]["watching"])
    pause = partial(time.sleep, approval_watch.POLL_SECONDS)
    try:
        with state.open_state(chosen) as kept:
            for news in approval_watch.watch_approvals(kept, pause, decided=decided):
                ring = "\a" if bell and seen_by_a_person and news.kind == "pending" else ""
                record = format_json(approval_watch.event_json(news), indent=None) if as_json else ""
                click.echo((record or approval_watch.event_line(news, who)) + ring)
    except KeyboardInterrupt:
        if seen_by_a_person:
            click.echo()
