"""`saasus-mcp approvals`: what waits for a person. Needs neither credentials nor a terminal."""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import Any

import click

from saasus_mcp.catalog import Catalogue, Language, load
from saasus_mcp.cli import keeping, waiting, watching
from saasus_mcp.cli.options import language, settings
from saasus_mcp.cli.terminal import attended, json_text
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.settings import Settings
from saasus_mcp.store import Approval


@click.command
@click.option("--json", "as_json", is_flag=True, help="One JSON array, previews included; with --watch a line each.")
@click.option("--all", "decided", is_flag=True, help="Also what was decided on, used or has expired.")
@click.option("--watch", is_flag=True, help="Stay, and tell what is asked for, decided, used or expires, until Ctrl+C.")
@click.option("--bell", is_flag=True, help="With --watch, in a terminal: ring when something is asked for.")
@language
def command(*, as_json: bool, decided: bool, watch: bool, bell: bool, **flags: Any) -> None:
    """List what waits for a person's approval, over every SaaS, newest first."""
    chosen, now = settings(**flags), time.time()
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
    catalogue = load()
    for approval in found:
        click.echo("\n".join(_lines(approval, catalogue, chosen.lang, now)) + "\n")
    if any(approval.status == "pending" for approval in found):
        click.echo(words["how_to"])


def _lines(approval: Approval, catalogue: Catalogue, lang: Language, now: float) -> list[str]:
    status = WORDS[lang][approval.status]
    if approval.status == "pending":
        status += f" ({waiting.left(approval, now, lang)})"
    return [
        f"{approval.code}  {waiting.subject(approval, catalogue, lang)}",
        f"           {status}{waiting.reason(approval, lang)}",
        f"           {waiting.requester(approval, lang)}",
    ]


def _watch(chosen: Settings, *, as_json: bool, decided: bool, bell: bool) -> None:
    """Tell the news, a line each, until a person has seen enough."""
    catalogue, seen_by_a_person = load(), attended(sys.stdout)
    if seen_by_a_person and not as_json:
        click.echo(WORDS[chosen.lang]["watching"])
    pause = partial(time.sleep, watching.INTERVAL)
    try:
        with keeping.kept(chosen) as kept:
            for news in watching.watch(kept, pause, decided=decided):
                ring = "\a" if bell and seen_by_a_person and news.what == "pending" else ""
                record = json_text(watching.record(news), indent=None) if as_json else ""
                click.echo((record or watching.line(news, catalogue, chosen.lang)) + ring)
    except KeyboardInterrupt:
        if seen_by_a_person:
            click.echo()
