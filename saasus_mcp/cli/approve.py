"""`saasus-mcp approve CODE`: a person's yes, given in a terminal by typing the target's name. Needs no credentials."""

from __future__ import annotations

import time
from typing import Any

import click

from saasus_mcp.catalog import Language
from saasus_mcp.cli import compose, keeping, waiting
from saasus_mcp.cli.options import language, settings
from saasus_mcp.cli.terminal import TRIES, AtTerminal, ask, require_passphrase, require_person
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.permissions.approvals import LIFETIME, Approvals, may_approve, to_type
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.saasus.words import named, quoted
from saasus_mcp.store import Approval


@click.command
@click.argument("code")
@language
def command(code: str, **flags: Any) -> None:
    """Approve the call with this CODE: read its preview, type its target's name. It then runs once."""
    chosen = settings(**flags)
    require_person("approve", chosen.lang)
    words = WORDS[chosen.lang]
    with keeping.stores(chosen) as stores:
        approvals, approval = waiting.find(stores, code, time.time(), chosen.lang)
        _show(approval, chosen.lang)
        _require_other(approval, chosen.lang)
        require_passphrase(chosen.folder, chosen.lang)
        _approve(approvals, approval, chosen.lang)
    click.echo(words["approved_done"].format(minutes=LIFETIME // 60))


def _show(approval: Approval, lang: Language) -> None:
    """The stored preview, who asks, and what this yes is worth on this machine."""
    words, now = WORDS[lang], time.time()
    rule = "-" * 72
    click.echo(f"{rule}\n{waiting.preview(approval, lang)}\n{rule}")
    click.echo(
        words["requested"].format(
            principal=named(approval.principal, lang),
            minutes=waiting.minutes(now - approval.requested_at),
            left=waiting.minutes(approval.expires_at - now),
        )
    )
    click.echo(words["boundary"] + "\n")


def _require_other(approval: Approval, lang: Language) -> None:
    """Where the policy wants two people, say so, and see that this is another than the one who asked.

    Raises:
        AtTerminal: it is the same.
    """
    words, who = WORDS[lang], compose.local_user().id
    if not may_approve(approval, who):
        raise AtTerminal(words["own_request"].format(who=named(who, lang)), words["own_request_mend"])
    if approval.two_person:
        click.echo(words["two_person"] + "\n")


def _approve(approvals: Approvals, approval: Approval, lang: Language) -> None:
    """Ask for the name until it is the target's.

    Raises:
        AtTerminal: three names were wrong; the approval stays pending.
        Refused: it is pending no more.
    """
    words = WORDS[lang]
    for _ in range(TRIES):
        typed = ask(words["type_name"].format(name=quoted(to_type(approval, lang), lang)))
        try:
            approvals.approve(approval, typed, compose.local_user().id, time.time())
        except Refused as refused:
            if refused.why != "declined":
                raise
            click.echo(words["wrong_name"])
        else:
            return
    raise AtTerminal(words["stopped"], words["start_again"])
