"""`saasus-mcp approvals`: what waits for a person. Needs neither credentials nor a terminal."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Any

import click

from saasus_mcp.catalog import Catalogue, Language, UnknownTool, load
from saasus_mcp.cli import compose, waiting
from saasus_mcp.cli.options import language, settings
from saasus_mcp.cli.terminal import json_text, safe
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.store import Approval

INTERNAL = ("binding", "bound")
"""Digests: of no use to a reader."""


@click.command
@click.option("--json", "as_json", is_flag=True, help="One JSON array, previews included.")
@click.option("--all", "decided", is_flag=True, help="Also what was decided on, used or has expired.")
@language
def command(*, as_json: bool, decided: bool, **flags: Any) -> None:
    """List what waits for a person's approval, over every SaaS, newest first."""
    chosen, now = settings(**flags), time.time()
    with compose.stores(chosen.folder) as stores:
        found = waiting.asked(stores, now, decided=decided)
    if as_json:
        click.echo(json_text([_record(approval) for approval in found]))
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
    words = WORDS[lang]
    status = words[approval.status]
    if approval.status == "pending":
        status += f" ({words['waits'].format(minutes=waiting.minutes(approval.expires_at - now))})"
    who = words["asked_by"].format(
        principal=safe(approval.principal), saas=safe(approval.saas_id), profile=safe(approval.profile)
    )
    said = f": {safe(approval.reason)}" if approval.reason else ""
    try:
        title = catalogue.find(approval.operation).title.get(lang)
    except UnknownTool:  # asked by another version
        title = approval.operation
    return [f"{approval.code}  {title}: {safe(approval.name)}", f"           {status}{said}", f"           {who}"]


def _record(approval: Approval) -> dict[str, Any]:
    kept = {name: value for name, value in asdict(approval).items() if name not in INTERNAL}
    return {**kept, "preview": json.loads(approval.preview)}
