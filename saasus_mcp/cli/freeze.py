"""`saasus-mcp freeze` and `unfreeze`: stop all writes in every server that uses these stores, and allow them again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace

from saasus_mcp.cli import state
from saasus_mcp.cli.command_line import command, option
from saasus_mcp.cli.destination import SANDBOX_PROFILE, SANDBOX_SAAS_ID, resolve_destination
from saasus_mcp.cli.local_user import action_at_terminal, local_user
from saasus_mcp.cli.options import json_outcome_option, require_profile_name, settings_options
from saasus_mcp.cli.output import print_outcome
from saasus_mcp.cli.terminal import require_approver, say
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.text import visible_text
from saasus_mcp.jobs import job_control
from saasus_mcp.permissions.approval.action_records import ActionKind, record_action
from saasus_mcp.settings.environment import Settings
from saasus_mcp.settings.validation import SettingsError
from saasus_mcp.store.records import Freeze
from saasus_mcp.store.store import Store
from saasus_mcp.store.stores import Stores


@command(help="cli_help.command.freeze")
@option("--reason", default="", help="cli_help.option.freeze_reason")
@option("--profile", metavar="NAME", help="cli_help.option.freeze_profile")
@json_outcome_option
@settings_options("lang")
def freeze(settings: Settings, *, reason: str, profile: str | None) -> None:
    """Freeze everything or one profile. Needs no terminal: a freeze is safe."""
    user = local_user()
    folder = None if settings.database_url else str(settings.state_folder)
    where = message("cli_freeze.in_folder", folder=folder) if folder else message("cli_freeze.in_database")
    fields = {"frozen": True, "profile": profile, "known": True, "reason": reason, "folder": folder}
    with state.open_state(settings) as stores:
        if profile is None:
            stores.set_freeze(Freeze(time.time(), user.id, reason))
            # The record comes later: a failure to record prevents neither the freeze nor its report.
            try:
                state.record_decision(stores, action_at_terminal(ActionKind.FREEZE, reason=reason))
            finally:
                print_outcome(fields, message("cli_freeze.frozen", where=where))
            return
        _refuse_empty_name(profile)
        require_profile_name(profile)
        known = _freeze_profile(stores, Freeze(time.time(), user.id, reason, profile), settings)
    name = visible_text(profile)
    if not known:
        say(message("cli_freeze.profile_unknown", profile=name), err=True)
    print_outcome({**fields, "known": known}, message("cli_freeze.frozen_profile", profile=name, where=where))


@command(help="cli_help.command.unfreeze")
@option("--profile", metavar="NAME", help="cli_help.option.unfreeze_profile")
@json_outcome_option
@settings_options("lang")
def unfreeze(settings: Settings, *, profile: str | None) -> None:
    """Lift the freeze of everything or of one profile. Only a person at a terminal can."""
    if profile is not None:
        _refuse_empty_name(profile)
    require_approver("unfreeze", settings.state_folder)
    with state.open_state(settings) as stores, state.open_named_stores(stores) as opened:
        found = _active_freezes(stores, opened)
        was_frozen = (profile or "") in found
        if was_frozen:  # otherwise a freeze that begins at this moment would be lifted
            _lift_freeze(stores, opened, profile)
            found = _active_freezes(stores, opened)
    still = [found[name] for name in sorted(found)]
    fields = [{"profile": each.profile or None, "by": each.by} for each in still]
    outcome = {"frozen": False, "was_frozen": was_frozen, "profile": profile, "still_frozen": fields}
    print_outcome(outcome, _lifted_text(profile, was_frozen=was_frozen), *map(_still_frozen_text, still))
    opened.require_all()


def _active_freezes(stores: Stores, opened: Sequence[Store]) -> dict[str, Freeze]:
    """Return the freezes by profile. Each store knows the freeze of every SaaS. Without a SaaS, that of decisions does."""
    if opened:
        return {each.profile: each for store in opened for each in store.active_freezes()}
    with closing(stores.open_decisions()) as common:
        return {each.profile: each for each in common.active_freezes()}


def _lift_freeze(stores: Stores, opened: Sequence[Store], profile: str | None) -> None:
    """Lift the freeze of everything or of one profile. The record comes first, so that writes stay frozen if it fails."""
    decision = action_at_terminal(ActionKind.UNFREEZE, profile=profile or "")
    if profile is None:
        state.record_decision(stores, decision)
    for store in opened:
        job_control.claim_pauses(store, time.time())
        if profile is not None:
            record_action(store, decision, time.time())
        store.unfreeze(profile or "")
    if profile is None:
        stores.set_freeze(None)


def _lifted_text(profile: str | None, *, was_frozen: bool) -> Message:
    if profile is None:
        return message("cli_freeze.unfrozen") if was_frozen else message("cli_freeze.not_frozen")
    name = visible_text(profile)
    if was_frozen:
        return message("cli_freeze.unfrozen_profile", profile=name)
    return message("cli_freeze.not_frozen_profile", profile=name)


def _still_frozen_text(freeze: Freeze) -> Message:
    by = visible_text(freeze.by)
    if freeze.profile:
        return message("cli_freeze.still_frozen_profile", profile=visible_text(freeze.profile), by=by)
    return message("cli_freeze.still_frozen", by=by)


def _refuse_empty_name(profile: str) -> None:
    """Raise SaasusMcpError if the name is empty, which would mean everything."""
    if not profile.strip():
        raise SaasusMcpError.of("cli_freeze.profile_empty")


def _freeze_profile(stores: Stores, freeze: Freeze, settings: Settings) -> bool:
    """Freeze a profile in every store, and in that of its SaaS. Return True if these settings have the profile.

    Raises:
        SaasusMcpError: no store exists.
    """
    saas_id = _find_saas_id(freeze.profile, settings)
    if saas_id:
        stores.open_saas(saas_id).close()  # creates the store if it is missing
    names = stores.names
    if not names:
        raise SaasusMcpError.of("cli_freeze.no_store", profile=visible_text(freeze.profile))
    action = action_at_terminal(ActionKind.FREEZE, profile=freeze.profile, reason=freeze.reason)
    for name in names:
        with closing(stores.open(name)) as store:
            store.freeze(freeze)
            record_action(store, action, freeze.at)
    return bool(saas_id)


def _find_saas_id(profile: str, settings: Settings) -> str:
    """Return the SaaS id of a profile, or an empty string if these settings lack the profile."""
    if profile == SANDBOX_PROFILE:
        return SANDBOX_SAAS_ID
    with suppress(SettingsError):
        changed = replace(settings, profile=profile, sandbox=False)
        return resolve_destination(changed).saas_id
    return ""
