"""`saasus-mcp approve` and `reject`: decide on one approval at the terminal. Needs no credentials."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import click

from saasus_mcp.cli import state, terminal
from saasus_mcp.cli.approvals import approval_view
from saasus_mcp.cli.command_line import UsageError, argument, command, option
from saasus_mcp.cli.completion import complete_codes
from saasus_mcp.cli.local_user import local_user
from saasus_mcp.cli.options import json_outcome_option, settings_options
from saasus_mcp.cli.output import format_time, print_outcome
from saasus_mcp.cli.question_view import terminal_reader
from saasus_mcp.cli.terminal import (
    MAX_ATTEMPTS,
    TerminalError,
    is_terminal,
    prints_json,
    require_passphrase,
    require_person,
    say,
    too_many_attempts,
)
from saasus_mcp.cli.text_layout import cut_text, terminal_columns
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import display_width, quote_name, quote_text
from saasus_mcp.permissions.approval.approvals import (
    APPROVAL_LIFETIME,
    WAIT_AFTER_REJECTION,
    ApprovalService,
    is_code,
    may_approve,
)
from saasus_mcp.permissions.question import stored_question
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.settings.environment import Settings
from saasus_mcp.store.records import Approval
from saasus_mcp.store.store import Store


@command(help="cli_help.command.approve")
@argument("code", required=False, shell_complete=complete_codes)
@option("--details", is_flag=True, help="cli_help.option.details")
@json_outcome_option
@settings_options("lang", "time_zone")
def approve(settings: Settings, *, code: str | None, details: bool) -> None:
    """Show the question, check the person, and approve once they type the target's name."""
    require_person("approve")
    reader = terminal_reader(settings)
    with state.open_stores(settings) as stores:
        code = code or _pick_code(stores, reader)
        if code is None:
            print_outcome(None, approval_view.no_approvals(settings, stores, decided=False))
            return
        approvals, approval = approval_view.find_pending(stores, code, time.time())
        _show(approval, reader, details=details)
        if stored_question.load_question(approval) is None:  # another version asked it
            raise TerminalError.of("cli_approvals.unreadable")
        _require_permitted(approval, reader.language)
        require_passphrase(settings.state_folder)
        _approve(approvals, approval, reader.language)
        decided = approval_view.find_approval(stores, approval.code, time.time())
    text = message("cli_approvals.approved", minutes=APPROVAL_LIFETIME // 60)
    print_outcome(approval_view.approval_json(decided), text)


@command(help="cli_help.command.reject")
@argument("code", required=False, shell_complete=complete_codes)
@option("--reason", metavar="TEXT", help="cli_help.option.reject_reason")
@json_outcome_option
@settings_options("lang", "time_zone")
def reject(settings: Settings, *, code: str | None, reason: str | None) -> None:
    """Reject the approval. Needs no terminal with a code: to refuse is safe."""
    if code is None and not is_terminal(sys.stdin, sys.stderr if prints_json() else sys.stdout):
        raise UsageError(message("cli_usage.missing_argument", name="CODE"), click.get_current_context())
    with state.open_stores(settings) as stores:
        code = code or _pick_code(stores, terminal_reader(settings), ask_for_one=True)
        if code is None:
            print_outcome(None, approval_view.no_approvals(settings, stores, decided=False))
            return
        now = time.time()
        approvals, approval = approval_view.find_pending(stores, code, now)
        user = local_user()
        approvals.reject(approval, user.id, now, reason, person=user.person)
        decided = approval_view.find_approval(stores, approval.code, now)
    text = message("cli_approvals.rejected", minutes=WAIT_AFTER_REJECTION // 60)
    print_outcome(approval_view.approval_json(decided), text)


def _pick_code(stores: Sequence[Store], reader: Reader, *, ask_for_one: bool = False) -> str | None:
    """Return the code of the pending approval that the person picks, or None if nothing is pending.

    Args:
        ask_for_one: ask even if only one is pending.

    Raises:
        TerminalError: three answers were not in the list.
    """
    now = time.time()
    pending = approval_view.list_approvals(stores, now, decided=False)
    if not pending:
        return None
    if len(pending) == 1 and not ask_for_one:
        return pending[0].code
    for number, approval in enumerate(pending, 1):
        left = f"  ({approval_view.time_left_text(approval, now).text(reader.language)})"
        begin = f"{number:>3}  {approval.code}  "
        room = terminal_columns() - len(begin) - display_width(left)
        say(begin + cut_text(approval_view.headline(approval, reader), room) + left)
    numbers = "1" if len(pending) == 1 else message("cli_approvals.pick_range", last=len(pending))
    for _ in range(MAX_ATTEMPTS):
        typed = terminal.prompt(message("cli_approvals.pick_prompt", numbers=numbers)).strip()
        if typed.isascii() and typed.isdigit() and 1 <= int(typed) <= len(pending):
            return pending[int(typed) - 1].code
        for approval in pending:
            if is_code(typed, approval):
                return approval.code
        say(message("cli_approvals.not_offered"))
    raise too_many_attempts()


def _show(approval: Approval, reader: Reader, *, details: bool) -> None:
    """Print the question, and what an approval on this computer is worth."""
    now = time.time()
    say("\n" + "\n".join(approval_view.question_lines(approval, reader, details=details)) + "\n")
    say(
        message(
            "cli_approvals.requested",
            code=approval.code,
            at=format_time(approval.requested_at, now, reader),
            left=approval_view.whole_minutes(approval.expires_at - now),
        )
    )
    say(message("cli.local_boundary"))
    say()


def _require_permitted(approval: Approval, language: Language) -> None:
    """Raise TerminalError if the policy requires two people and this person made the request."""
    user = local_user().id
    if not may_approve(approval, user):
        raise TerminalError.of("cli_approvals.own_request", principal=quote_name(user, language))
    if approval.two_person:
        say(message("cli_approvals.two_person"))
        say()


def _approve(approvals: ApprovalService, approval: Approval, language: Language) -> None:
    """Ask for the target's name until it is right.

    Raises:
        TerminalError: three names were wrong. The approval stays pending.
        CallRefused: the approval is no longer pending.
    """
    name = quote_text(stored_question.text_to_type(approval, language), language)
    for _ in range(MAX_ATTEMPTS):
        typed = terminal.prompt(message("cli_approvals.type_name_prompt", name=name))
        try:
            user = local_user()
            approvals.approve(approval, typed, user.id, time.time(), person=user.person)
        except CallRefused as refused:
            if refused.reason != "declined":
                raise
            say(message("cli_approvals.wrong_name"))
        else:
            return
    raise too_many_attempts()
