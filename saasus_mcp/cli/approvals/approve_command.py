"""`saasus-mcp approve [CODE]`: a person's yes, given in a terminal by typing the target's name. Needs no credentials."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import click

from saasus_mcp.cli import composition, state
from saasus_mcp.cli.approvals import approval_view
from saasus_mcp.cli.options import language_option, load_settings, time_zone_option
from saasus_mcp.cli.question_view import terminal_reader
from saasus_mcp.cli.terminal import MAX_ATTEMPTS, TerminalError, prompt, require_passphrase, require_person
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.common.language import Language
from saasus_mcp.common.text import quote_name, quote_text
from saasus_mcp.permissions.approval.approvals import APPROVAL_LIFETIME, ApprovalService, may_approve
from saasus_mcp.permissions.question import stored_question
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.store import Approval, Store


@click.command
@click.argument("code", required=False)
@click.option("--details", is_flag=True, help="Show the exact request too.")
@language_option
@time_zone_option
def command(code: str | None, *, details: bool, **flags: Any) -> None:
    """Approve one call: read the question, type the name of the target. The call then runs once.

    Without a CODE, the pending approvals are offered.
    """
    chosen = load_settings(**flags)
    require_person("approve", chosen.lang)
    words, who = WORDS[chosen.lang], terminal_reader(chosen)
    with state.open_stores(chosen) as stores:
        code = code or _picked(stores, who)
        if code is None:
            click.echo(words["none_waiting"])
            return
        approvals, approval = approval_view.find_pending(stores, code, time.time(), chosen.lang)
        _show(approval, who, details=details)
        _require_readable(approval, chosen.lang)
        _require_other(approval, chosen.lang)
        require_passphrase(chosen.state_folder, chosen.lang)
        _approve(approvals, approval, chosen.lang)
    click.echo(words["approved_done"].format(minutes=APPROVAL_LIFETIME // 60))


def _picked(stores: Sequence[Store], who: Reader) -> str | None:
    """The code of the pending approval that the person picks; None where nothing is pending.

    Raises:
        AtTerminal: three answers were none of those offered.
    """
    now, words = time.time(), WORDS[who.language]
    pending = approval_view.list_approvals(stores, now, decided=False)
    if len(pending) <= 1:
        return pending[0].code if pending else None
    for number, approval in enumerate(pending, 1):
        left = approval_view.time_left_text(approval, now, who.language)
        click.echo(f"{number:>3}  {approval.code}  {approval_view.headline(approval, who)}  ({left})")
    for _ in range(MAX_ATTEMPTS):
        typed = prompt(words["pick"].format(last=len(pending))).strip()
        if typed.isascii() and typed.isdigit() and 1 <= int(typed) <= len(pending):
            return pending[int(typed) - 1].code
        wanted = typed.upper().replace("-", "")
        for approval in pending:
            if approval.code.replace("-", "") == wanted:
                return approval.code
        click.echo(words["not_offered"])
    raise TerminalError(words["stopped"], words["start_again"])


def _show(approval: Approval, who: Reader, *, details: bool) -> None:
    """The question, and what this yes is worth on this machine."""
    words, now = WORDS[who.language], time.time()
    click.echo("\n" + "\n".join(approval_view.question_lines(approval, who, details=details)) + "\n")
    click.echo(
        words["requested"].format(
            code=approval.code,
            minutes=approval_view.whole_minutes(now - approval.requested_at),
            left=approval_view.whole_minutes(approval.expires_at - now),
        )
    )
    click.echo(words["boundary"] + "\n")


def _require_readable(approval: Approval, lang: Language) -> None:
    """See that the person was shown what they would approve.

    Raises:
        AtTerminal: another version asked, in a form that this one does not read.
    """
    if not stored_question.is_readable(approval, lang):
        raise TerminalError(WORDS[lang]["unreadable"], WORDS[lang]["unreadable_mend"])


def _require_other(approval: Approval, lang: Language) -> None:
    """Where the policy wants two people, say so, and see that this is another than the one who asked.

    Raises:
        AtTerminal: it is the same.
    """
    words, who = WORDS[lang], composition.local_user().id
    if not may_approve(approval, who):
        raise TerminalError(words["own_request"].format(who=quote_name(who, lang)), words["own_request_mend"])
    if approval.two_person:
        click.echo(words["two_person"] + "\n")


def _approve(approvals: ApprovalService, approval: Approval, lang: Language) -> None:
    """Ask for the name until it is the target's.

    Raises:
        AtTerminal: three names were wrong; the approval stays pending.
        Refused: it is pending no more.
    """
    words = WORDS[lang]
    for _ in range(MAX_ATTEMPTS):
        typed = prompt(words["type_name"].format(name=quote_text(stored_question.text_to_type(approval, lang), lang)))
        try:
            approvals.approve(approval, typed, composition.local_user().id, time.time())
        except CallRefused as refused:
            if refused.reason != "declined":
                raise
            click.echo(words["wrong_name"])
        else:
            return
    raise TerminalError(words["stopped"], words["start_again"])
