"""`saasus-mcp approver set|clear`: the passphrase that `approve` and `reveal` ask for."""

from __future__ import annotations

from typing import Any

import click

from saasus_mcp.cli import composition, state
from saasus_mcp.cli.options import language_option, load_settings
from saasus_mcp.cli.terminal import TerminalError, prompt_hidden, require_passphrase, require_person
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.permissions.approval.action_records import ActionKind, ActionRecord
from saasus_mcp.permissions.secrets import passphrase
from saasus_mcp.settings import Settings


@click.group
def command() -> None:
    """Set or clear the passphrase that approving and revealing ask for."""


@command.command("set")
@language_option
def set_(**flags: Any) -> None:
    """Set the passphrase; the present one is asked first."""
    chosen = load_settings(**flags)
    require_person("approver set", chosen.lang)
    require_passphrase(chosen.state_folder, chosen.lang, "old_passphrase")
    words = WORDS[chosen.lang]
    new = prompt_hidden(words["new_passphrase"].format(shortest=passphrase.MIN_LENGTH))
    if passphrase.is_too_short(new):
        raise TerminalError(words["too_short"].format(shortest=passphrase.MIN_LENGTH))
    if prompt_hidden(words["again"]) != new:
        raise TerminalError(words["differ"])
    _record(chosen, ActionKind.PASSPHRASE_SET)
    passphrase.save_passphrase(chosen.state_folder, new)
    click.echo(f"{words['passphrase_set']}\n{words['boundary']}")


@command.command("clear")
@language_option
def clear(**flags: Any) -> None:
    """Clear the passphrase; it is asked first."""
    chosen = load_settings(**flags)
    require_person("approver clear", chosen.lang)
    words = WORDS[chosen.lang]
    if not passphrase.is_passphrase_set(chosen.state_folder):
        click.echo(words["no_passphrase"])
        return
    require_passphrase(chosen.state_folder, chosen.lang, "old_passphrase")
    _record(chosen, ActionKind.PASSPHRASE_CLEARED)
    passphrase.clear_passphrase(chosen.state_folder)
    click.echo(words["passphrase_cleared"])


def _record(chosen: Settings, kind: ActionKind) -> None:
    with state.open_state(chosen) as kept:
        state.record_decision(kept, ActionRecord(kind, composition.local_user().id, "terminal"))
