"""`saasus-mcp approve [CODE]`: a person's yes, given in a terminal by typing the target's name. Needs no credentials."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import click

from saasus_mcp.catalog import Language
from saasus_mcp.cli import compose, keeping, waiting
from saasus_mcp.cli.options import language, settings, time_zone
from saasus_mcp.cli.question import reader
from saasus_mcp.cli.terminal import TRIES, AtTerminal, ask, require_passphrase, require_person
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.permissions.approvals import LIFETIME, Approvals, may_approve
from saasus_mcp.permissions.question import kept
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.saasus.words import named, quoted
from saasus_mcp.store import Approval, Store


@click.command
@click.argument("code", required=False)
@click.option("--details", is_flag=True, help="Show the exact request too.")
@language
@time_zone
def command(code: str | None, *, details: bool, **flags: Any) -> None:
    """Approve one call: read the question, type the name of the target. The call then runs once.

    Without a CODE, the pending approvals are offered.
    """
    chosen = settings(**flags)
    require_person("approve", chosen.lang)
    words, who = WORDS[chosen.lang], reader(chosen)
    with keeping.stores(chosen) as stores:
        code = code or _picked(stores, who)
        if code is None:
            click.echo(words["none_waiting"])
            return
        approvals, approval = waiting.find(stores, code, time.time(), chosen.lang)
        _show(approval, who, details=details)
        _require_readable(approval, chosen.lang)
        _require_other(approval, chosen.lang)
        require_passphrase(chosen.folder, chosen.lang)
        _approve(approvals, approval, chosen.lang)
    click.echo(words["approved_done"].format(minutes=LIFETIME // 60))


def _picked(stores: Sequence[Store], who: Reader) -> str | None:
    """The code of the pending approval that the person picks; None where nothing is pending.

    Raises:
        AtTerminal: three answers were none of those offered.
    """
    now, words = time.time(), WORDS[who.language]
    pending = waiting.asked(stores, now, decided=False)
    if len(pending) <= 1:
        return pending[0].code if pending else None
    for number, approval in enumerate(pending, 1):
        left = waiting.left(approval, now, who.language)
        click.echo(f"{number:>3}  {approval.code}  {waiting.subject(approval, who)}  ({left})")
    for _ in range(TRIES):
        typed = ask(words["pick"].format(last=len(pending))).strip()
        if typed.isascii() and typed.isdigit() and 1 <= int(typed) <= len(pending):
            return pending[int(typed) - 1].code
        wanted = typed.upper().replace("-", "")
        for approval in pending:
            if approval.code.replace("-", "") == wanted:
                return approval.code
        click.echo(words["not_offered"])
    raise AtTerminal(words["stopped"], words["start_again"])


def _show(approval: Approval, who: Reader, *, details: bool) -> None:
    """The question, and what this yes is worth on this machine."""
    words, now = WORDS[who.language], time.time()
    click.echo("\n" + "\n".join(waiting.question(approval, who, details=details)) + "\n")
    click.echo(
        words["requested"].format(
            code=approval.code,
            minutes=waiting.minutes(now - approval.requested_at),
            left=waiting.minutes(approval.expires_at - now),
        )
    )
    click.echo(words["boundary"] + "\n")


def _require_readable(approval: Approval, lang: Language) -> None:
    """See that the person was shown what they would approve.

    Raises:
        AtTerminal: another version asked, in a form that this one does not read.
    """
    if not kept.readable(approval, lang):
        raise AtTerminal(WORDS[lang]["unreadable"], WORDS[lang]["unreadable_mend"])


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
        typed = ask(words["type_name"].format(name=quoted(kept.to_type(approval, lang), lang)))
        try:
            approvals.approve(approval, typed, compose.local_user().id, time.time())
        except Refused as refused:
            if refused.why != "declined":
                raise
            click.echo(words["wrong_name"])
        else:
            return
    raise AtTerminal(words["stopped"], words["start_again"])
