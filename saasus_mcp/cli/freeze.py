"""`saasus-mcp freeze`: hold writes back at once, in every server that keeps its state in this folder. Needs no terminal."""

from __future__ import annotations

import time
from contextlib import closing, suppress
from typing import Any

import click

from saasus_mcp.cli import composition, state
from saasus_mcp.cli.options import language_option, load_settings
from saasus_mcp.cli.terminal import safe
from saasus_mcp.cli.upkeep_wording import WORDS
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.permissions.approval.action_records import ActionKind, ActionRecord, record_action
from saasus_mcp.settings import Settings, SettingsError
from saasus_mcp.store import Freeze
from saasus_mcp.store.stores import Stores


@click.command
@click.option("--reason", default="", help="Reason shown to callers that are refused.")
@click.option("--profile", metavar="NAME", help="Freeze only this profile; everything by default.")
@language_option
def command(*, reason: str, profile: str | None, **flags: Any) -> None:
    """Freeze all writes of every SaaS and the sandbox until `unfreeze`. Reads still work; restarts do not lift the freeze."""
    chosen = load_settings(**flags)
    words, by = WORDS[chosen.lang], composition.local_user().id
    with state.open_state(chosen) as kept:
        where = words["in_database"] if kept.shared else words["in_folder"].format(folder=chosen.state_folder)
        if profile is None:
            kept.set_freeze(Freeze(time.time(), by, reason))
            click.echo(words["frozen"].format(where=where))
            # Recorded last: what cannot be recorded is to be frozen all the same.
            state.record_decision(kept, ActionRecord(ActionKind.FREEZE, by, "terminal", reason=reason))
            return
        require_profile_name(profile, chosen)
        known = _freeze(kept, Freeze(time.time(), by, reason, profile), chosen)
    if not known:
        click.echo(words["profile_unknown"].format(profile=safe(profile)), err=True)
    click.echo(words["frozen_profile"].format(profile=safe(profile), where=where))


def require_profile_name(profile: str, chosen: Settings) -> None:
    """See that a profile was named.

    Raises:
        SaasusMcpError: the name is empty; that would mean everything.
    """
    if not profile.strip():
        words = WORDS[chosen.lang]
        raise SaasusMcpError(words["profile_empty"], words["profile_empty_mend"])


def _freeze(kept: Stores, freeze: Freeze, chosen: Settings) -> bool:
    """Freeze a profile in every store there is, and in that of its SaaS; whether the settings here know the profile.

    Raises:
        SaasusMcpError: there is no store to freeze it in.
    """
    saas_id = _saas_id(freeze.profile, chosen)
    if saas_id:
        kept.open_saas(saas_id).close()  # made where it is missing
    names = kept.names
    if not names:
        words = WORDS[chosen.lang]
        raise SaasusMcpError(words["no_store"].format(profile=safe(freeze.profile)), words["no_store_mend"])
    for name in names:
        with closing(kept.open(name)) as store:
            store.freeze(freeze)
            told = ActionRecord(ActionKind.FREEZE, freeze.by, "terminal", profile=freeze.profile, reason=freeze.reason)
            record_action(store, told, freeze.at)
    return bool(saas_id)


def _saas_id(profile: str, chosen: Settings) -> str:
    """The SaaS of a profile, where the settings here say it."""
    if profile == composition.SANDBOX_PROFILE:
        return composition.SANDBOX_SAAS_ID
    with suppress(SettingsError):
        return composition.resolve_place(chosen.model_copy(update={"profile": profile, "sandbox": False})).saas_id
    return ""
