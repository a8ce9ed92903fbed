"""`saasus-mcp unfreeze`: let writes go again. Only a person at a terminal can."""

from __future__ import annotations

from typing import Any

import click

from saasus_mcp.cli import compose, keeping
from saasus_mcp.cli.options import language, settings
from saasus_mcp.cli.terminal import require_passphrase, require_person
from saasus_mcp.cli.upkeep_wording import WORDS
from saasus_mcp.permissions.decisions import DecisionRecord, Kind


@click.command
@language
def command(**flags: Any) -> None:
    """Let writes go again."""
    chosen = settings(**flags)
    require_person("unfreeze", chosen.lang)
    require_passphrase(chosen.folder, chosen.lang)
    with keeping.kept(chosen) as kept, keeping.opened(kept) as stores:
        keeping.record(kept, DecisionRecord(Kind.UNFREEZE, compose.local_user().id, "terminal"))
        for store in stores:
            store.freeze(None)
        kept.freeze(None)
    click.echo(WORDS[chosen.lang]["unfrozen"])
