"""`saasus-mcp unfreeze`: let writes go again. Only a person at a terminal can."""

from __future__ import annotations

import time
from typing import Any

import click

from saasus_mcp.cli import compose, keeping
from saasus_mcp.cli.freeze import require_profile
from saasus_mcp.cli.options import language, settings
from saasus_mcp.cli.terminal import require_passphrase, require_person, safe
from saasus_mcp.cli.upkeep_wording import WORDS
from saasus_mcp.permissions.decisions import DecisionRecord, Kind, record


@click.command
@click.option(
    "--profile", metavar="NAME", help="Unfreeze only this profile; by default, lift the freeze of everything."
)
@language
def command(*, profile: str | None, **flags: Any) -> None:
    """Lift the freeze of everything or of one profile. Other freezes stay in force."""
    chosen = settings(**flags)
    words = WORDS[chosen.lang]
    if profile is not None:
        require_profile(profile, chosen)
    require_person("unfreeze", chosen.lang)
    require_passphrase(chosen.folder, chosen.lang)
    with keeping.kept(chosen) as kept, keeping.opened(kept) as stores:
        decision = DecisionRecord(Kind.UNFREEZE, compose.local_user().id, "terminal", profile=profile or "")
        if profile is None:
            keeping.record(kept, decision)
        for store in stores:
            if profile is not None:
                record(store, decision, time.time())
            store.unfreeze(profile or "")
        if profile is None:
            kept.freeze(None)
        left = {freeze.profile: freeze for store in stores for freeze in store.freezes()}
    done = words["unfrozen"] if profile is None else words["unfrozen_profile"].format(profile=safe(profile))
    click.echo(done)
    for name, freeze in sorted(left.items()):
        said = words["still_frozen_profile"] if name else words["still_frozen"]
        click.echo(said.format(profile=safe(name), by=safe(freeze.by)))
