"""Find approvals in the stores of every SaaS, and show them at the terminal."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from saasus_mcp.cli.output import json_times
from saasus_mcp.cli.question_view import render_question
from saasus_mcp.cli.state import OpenedStores
from saasus_mcp.cli.text_layout import terminal_columns, wrap_text
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Localized, Message, message, one_of
from saasus_mcp.common.text import one_line, quote_name, quote_text, visible_text
from saasus_mcp.permissions.approval.approvals import ApprovalService, is_code
from saasus_mcp.permissions.question import stored_question
from saasus_mcp.permissions.question.formatting import Reader, format_sentence
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.settings.environment import Settings
from saasus_mcp.store.records import Approval
from saasus_mcp.store.store import Store

INTERNAL_FIELDS = ("binding", "bound", "subject", "preview")
"""Fields that only the server compares, and the question, which has a separate key."""
MAX_HEADLINE = 400
_MAX_CODE = 40


class UnknownCode(SaasusMcpError):
    """No approval has this code, or none that is pending."""


def find_pending(stores: Iterable[Store], code: str, now: float) -> tuple[ApprovalService, Approval]:
    """Return the pending approval with this code in any spelling, and the approvals of its store.

    Raises:
        UnknownCode: no store has it.
    """
    for store in stores:
        approvals = ApprovalService(store)
        try:
            return approvals, approvals.find_pending(code, now)
        except CallRefused:
            continue
    shown = visible_text(code[:_MAX_CODE])
    raise UnknownCode.of("cli_approvals.unknown_code", code=shown)


def find_approval(stores: Iterable[Store], code: str, now: float) -> Approval:
    """Return the approval with this code, in whatever status. Raise UnknownCode if no store has it."""
    for approval in list_approvals(stores, now, decided=True):
        if is_code(code, approval):
            return approval
    shown = visible_text(code[:_MAX_CODE])
    raise UnknownCode.of("cli_approvals.no_such_code", code=shown)


def list_approvals(stores: Iterable[Store], now: float, *, decided: bool) -> list[Approval]:
    """Return the pending approvals, newest first; with `decided`, also those that were decided or have expired."""
    every = (approval for store in stores for approval in store.list_approvals(now))
    wanted = (approval for approval in every if decided or approval.status == "pending")
    return sorted(wanted, key=lambda approval: approval.requested_at, reverse=True)


def no_approvals(settings: Settings, stores: OpenedStores, *, decided: bool) -> Message:
    """Return that a list is empty. Without a store, the settings may name the wrong folder.

    A store that cannot be read may have approvals: then the command ends with status 1.
    """
    stores.require_all()
    if not stores and not settings.database_url:
        return message("cli_approvals.no_store", folder=str(settings.state_folder))
    return message("cli_approvals.none" if decided else "cli_approvals.nothing_pending")


def question_lines(approval: Approval, reader: Reader, *, details: bool = False, margin: int = 0) -> Iterator[str]:
    """Yield the lines of the question, or a notice if another version asked it.

    Args:
        margin: columns of the terminal that stay free.
    """
    question, columns = stored_question.load_question(approval), terminal_columns() - margin
    if question is not None:
        yield from render_question(question, reader, columns, details=details)
        return
    yield from wrap_text(message("cli_approvals.unreadable").text(reader.language), columns)


def headline(approval: Approval, reader: Reader) -> str:
    """Return the action and its target on one line."""
    question = stored_question.load_question(approval)
    if question is not None:
        return one_line(format_sentence(question.headline, reader), MAX_HEADLINE)
    return f"{quote_name(approval.operation, reader.language)}: {quote_text(approval.name, reader.language)}"


def requester_text(approval: Approval, language: Language) -> Message:
    """Return who asked, for which SaaS, and whether another person must approve."""
    return message(
        "cli_approvals.requester_two_person" if approval.two_person else "cli_approvals.requester",
        principal=quote_name(approval.principal, language),
        saas_id=quote_name(approval.saas_id, language),
        profile=quote_name(approval.profile, language),
    )


def status_text(approval: Approval, now: float, language: Language) -> str:
    """Return the status, with the time left, or with the person who decided and the reason."""
    status = one_of("cli_approvals.status", approval.status)
    if approval.status == "pending":
        return pending_text(approval, now).text(language)
    return decision_text(status, approval, language)


def decision_text(status: Localized, approval: Approval, language: Language) -> str:
    """Return a status with the person who decided and the reason, if they are known."""
    if approval.decided_by:
        by = quote_name(approval.decided_by, language)
        used = approval.status == "used"  # by the call, after this person approved it
        status = message("cli_approvals.approved_by" if used else "cli_approvals.decided_by", status=status, by=by)
    reason = f": {quote_text(approval.reason, language)}" if approval.reason else ""
    return status.text(language) + reason


def pending_text(approval: Approval, now: float) -> Message:
    """Return that an approval is pending, with the time left."""
    return message("cli_approvals.pending_for", left=time_left_text(approval, now))


def time_left_text(approval: Approval, now: float) -> Message:
    """Return how long the approval can still be decided."""
    return message("cli_approvals.minutes_left", minutes=whole_minutes(approval.expires_at - now))


def approval_json(approval: Approval) -> dict[str, Any]:
    fields = json_times({name: value for name, value in asdict(approval).items() if name not in INTERNAL_FIELDS})
    try:
        return {**fields, "question": json.loads(approval.preview)}
    except ValueError:
        return {**fields, "question": None}


def whole_minutes(seconds: float) -> int:
    """Return minutes, rounded up, and at least 0."""
    return max(0, math.ceil(seconds / 60))
