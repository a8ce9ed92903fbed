"""`saasus-mcp approvals`: what waits for a person. Needs neither credentials nor a terminal."""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import Any

import click

from saasus_mcp.catalog import Language
from saasus_mcp.cli import keeping, waiting, watching
from saasus_mcp.cli.options import language, settings, time_zone
from saasus_mcp.cli.question import reader
from saasus_mcp.cli.terminal import attended, json_text
from saasus_mcp.cli.wording import WORDS
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
@language
@time_zone
def command(code: str | None, *, as_json: bool, decided: bool, watch: bool, bell: bool, **flags: Any) -> None:
    """List the pending approvals of every SaaS, newest first; with a CODE, show one with its exact request."""
    chosen, now = settings(**flags), time.time()
    if code is not None:
        _show(chosen, code, now, as_json=as_json)
        return
    if watch:
        _watch(chosen, as_json=as_json, decided=decided, bell=bell)
        return
    with keeping.stores(chosen) as stores:
        found = waiting.asked(stores, now, decided=decided)
    if as_json:
        click.echo(json_text([waiting.record(approval) for approval in found]))
        return
    words = WORDS[chosen.lang]
    if not found:
        click.echo(words["none_waiting"])
        return
    for approval in found:
        click.echo("\n".join(_lines(approval, reader(chosen), now)) + "\n")
    if any(approval.status == "pending" for approval in found):
        click.echo(words["how_to"])


def _show(chosen: Settings, code: str, now: float, *, as_json: bool) -> None:
    """One approval, whole."""
    with keeping.stores(chosen) as stores:
        approval = waiting.look_up(stores, code, now, chosen.lang)
    if as_json:
        click.echo(json_text([waiting.record(approval)]))
        return
    click.echo(f"{approval.code}  {_status(approval, now, chosen.lang)}\n")
    click.echo("\n".join(waiting.question(approval, reader(chosen), details=True)) + "\n")
    click.echo(waiting.requester(approval, chosen.lang))
    if approval.status == "pending":
        click.echo("\n" + WORDS[chosen.lang]["decide"].format(code=approval.code))


def _lines(approval: Approval, who: Reader, now: float) -> list[str]:
    return [
        f"{approval.code}  {click.style(waiting.subject(approval, who), bold=True)}",
        f"           {_status(approval, now, who.language)}",
        f"           {waiting.requester(approval, who.language)}",
    ]


def _status(approval: Approval, now: float, lang: Language) -> str:
    return click.style(waiting.status(approval, now, lang), fg=COLOURS.get(approval.status))


def _watch(chosen: Settings, *, as_json: bool, decided: bool, bell: bool) -> None:
    """Tell the news, a line each, until a person has seen enough."""
    who, seen_by_a_person = reader(chosen), attended(sys.stdout)
    if seen_by_a_person and not as_json:
        click.echo(WORDS[chosen.lang]["watching"])
    pause = partial(time.sleep, watching.INTERVAL)
    try:
        with keeping.kept(chosen) as kept:
            for news in watching.watch(kept, pause, decided=decided):
                ring = "\a" if bell and seen_by_a_person and news.what == "pending" else ""
                record = json_text(watching.record(news), indent=None) if as_json else ""
                click.echo((record or watching.line(news, who)) + ring)
    except KeyboardInterrupt:
        if seen_by_a_person:
            click.echo()
