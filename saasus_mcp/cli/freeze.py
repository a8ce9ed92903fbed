"""`saasus-mcp freeze`: hold all writes back at once, in every server that keeps its state in this folder. Needs no terminal."""

from __future__ import annotations

import time
from typing import Any

import click

from saasus_mcp.cli import compose, keeping
from saasus_mcp.cli.options import language, settings
from saasus_mcp.cli.upkeep_wording import WORDS
from saasus_mcp.permissions.decisions import DecisionRecord, Kind
from saasus_mcp.store import Freeze


@click.command
@click.option("--reason", default="", help="Why, for whoever is stopped by it.")
@language
def command(*, reason: str, **flags: Any) -> None:
    """Hold all writes back at once, of every SaaS and the sandbox, until `unfreeze`. Reads go on; restarts do not lift it."""
    chosen = settings(**flags)
    words = WORDS[chosen.lang]
    with keeping.kept(chosen) as kept:
        who = compose.local_user().id
        kept.freeze(Freeze(time.time(), who, reason))  # first: what cannot be recorded is to be frozen all the same
        where = words["in_database"] if kept.shared else words["in_folder"].format(folder=chosen.folder)
        click.echo(words["frozen"].format(where=where))
        keeping.record(kept, DecisionRecord(Kind.FREEZE, who, "terminal", reason=reason))
