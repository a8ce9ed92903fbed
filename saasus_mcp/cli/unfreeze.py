"""`saasus-mcp unfreeze`: let writes go again. Only a person at a terminal can."""

from __future__ import annotations

import time
from typing import Any

import click

from saasus_mcp.cli import composition, state
from saasus_mcp.cli.freeze import require_profile_name
from saasus_mcp.cli.options import language_option, load_settings
from saasus_mcp.cli.terminal import require_passphrase, require_person, safe
from saasus_mcp.cli.upkeep_wording import WORDS
from saasus_mcp.permissions.approval.action_records import ActionKind, ActionRecord, record_action


@click.command
@click.option(
    "--profile", metavar="NAME", help="Unfreeze only this profile; by default, lift the freeze of everything."
)
@language_option
def command(*, profile: str | None, **flags: Any) -> None:
    """Lift the freeze of everything or of one profile. Other freezes stay in force."""
    chosen = load_settings(**flags)
    words = WORDS[chosen.lang]
    if profile is not None:
        require_profile_name(profile, chosen)
    require_person("unfreeze", chosen.lang)
    require_passphrase(chosen.state_folder, chosen.lang)
    with state.open_state(chosen) as kept, state.open_named_stores(kept) as stores:
        decision = ActionRecord(ActionKind.UNFREEZE, composition.local_user().id, "terminal", profile=profile or "")
        if profile is None:
            state.record_decision(kept, decision)
        for store in stores:
            if profile is not None:
                record_action(store, decision, time.time())
            store.unfreeze(profile or "")
        if profile is None:
            kept.set_freeze(None)
        left = {freeze.profile: freeze for store in stores for freeze in store.active_freezes()}
    done = words["unfrozen"] if profile is None else words["unfrozen_profile"].format(profile=safe(profile))
    click.echo(done)
    for name, freeze in sorted(left.items()):
        said = words["still_frozen_profile"] if name else words["still_frozen"]
        click.echo(said.format(profile=safe(name), by=safe(freeze.by)))
