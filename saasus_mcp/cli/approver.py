"""`saasus-mcp approver set|clear`: the passphrase that `approve` and `reveal` ask for."""

from __future__ import annotations

from typing import Any

import click

from saasus_mcp.cli import compose, keeping
from saasus_mcp.cli.options import language, settings
from saasus_mcp.cli.terminal import AtTerminal, ask_hidden, require_passphrase, require_person
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.permissions import passphrase
from saasus_mcp.permissions.decisions import DecisionRecord, Kind
from saasus_mcp.settings import Settings


@click.group
def command() -> None:
    """Set or clear the passphrase that approving and revealing ask for."""


@command.command("set")
@language
def set_(**flags: Any) -> None:
    """Set the passphrase; the present one is asked first."""
    chosen = settings(**flags)
    require_person("approver set", chosen.lang)
    require_passphrase(chosen.folder, chosen.lang, "old_passphrase")
    words = WORDS[chosen.lang]
    new = ask_hidden(words["new_passphrase"].format(shortest=passphrase.SHORTEST))
    if passphrase.too_short(new):
        raise AtTerminal(words["too_short"].format(shortest=passphrase.SHORTEST))
    if ask_hidden(words["again"]) != new:
        raise AtTerminal(words["differ"])
    _record(chosen, Kind.PASSPHRASE_SET)
    passphrase.keep(chosen.folder, new)
    click.echo(f"{words['passphrase_set']}\n{words['boundary']}")


@command.command("clear")
@language
def clear(**flags: Any) -> None:
    """Clear the passphrase; it is asked first."""
    chosen = settings(**flags)
    require_person("approver clear", chosen.lang)
    words = WORDS[chosen.lang]
    if not passphrase.is_set(chosen.folder):
        click.echo(words["no_passphrase"])
        return
    require_passphrase(chosen.folder, chosen.lang, "old_passphrase")
    _record(chosen, Kind.PASSPHRASE_CLEARED)
    passphrase.clear(chosen.folder)
    click.echo(words["passphrase_cleared"])


def _record(chosen: Settings, kind: Kind) -> None:
    with keeping.kept(chosen) as kept:
        keeping.record(kept, DecisionRecord(kind, compose.local_user().id, "terminal"))
