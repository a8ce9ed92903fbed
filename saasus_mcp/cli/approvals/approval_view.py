"""Approvals as the terminal sees them: over every store in the state folder, since a terminal has no credentials."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from saasus_mcp.cli.question_view import render_question
from saasus_mcp.cli.terminal import safe
from saasus_mcp.cli.text_layout import terminal_columns, wrap_text
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.common.text import one_line, quote_name, quote_text
from saasus_mcp.permissions.approval.approvals import ApprovalService
from saasus_mcp.permissions.question import stored_question
from saasus_mcp.permissions.question.formatting import Reader, format_sentence
from saasus_mcp.permissions.refusal import CallRefused
from saasus_mcp.store import Approval, Store

INTERNAL_FIELDS = ("binding", "bound", "subject", "preview")
"""What the server compares, of no use to a reader; and the question, which is told under a name of its own."""
MAX_HEADLINE = 400


class UnknownCode(SaasusMcpError):
    """There is no approval with this code, or none that is pending."""


def find_pending(
    stores: Iterable[Store], code: str, now: float, language: Language
) -> tuple[ApprovalService, Approval]:
    """The pending approval with this code, however it was typed, and the store's approvals that it is one of.

    Raises:
        UnknownCode: no store has it.
    """
    for store in stores:
        approvals = ApprovalService(store)
        try:
            return approvals, approvals.find_pending(code, now)
        except CallRefused:
            continue
    words = WORDS[language]
    raise UnknownCode(words["unknown_code"].format(code=safe(code[:40])), words["unknown_code_mend"])


def find_approval(stores: Iterable[Store], code: str, now: float, language: Language) -> Approval:
    """The approval with this code, whatever became of it.

    Raises:
        UnknownCode: no store has it.
    """
    wanted = code.strip().upper().replace("-", "")
    for approval in list_approvals(stores, now, decided=True):
        if approval.code.replace("-", "") == wanted:
            return approval
    words = WORDS[language]
    raise UnknownCode(words["no_such_code"].format(code=safe(code[:40])), words["no_such_code_mend"])


def list_approvals(stores: Iterable[Store], now: float, *, decided: bool) -> list[Approval]:
    """What waits for a decision, newest first; with `decided` also what was decided on or has expired."""
    every = [approval for store in stores for approval in ApprovalService(store).list_all(now)]
    wanted = [approval for approval in every if decided or approval.status == "pending"]
    return sorted(wanted, key=lambda approval: approval.requested_at, reverse=True)


def question_lines(approval: Approval, reader: Reader, *, details: bool = False) -> Iterator[str]:
    """What is asked, a line each; that it cannot be shown where another version asked."""
    known, columns = stored_question.load_question(approval), terminal_columns()
    if known is not None:
        yield from render_question(known, reader, columns, details=details)
        return
    older = stored_question.legacy_text(approval, reader.language)
    yield from wrap_text(safe(older) or WORDS[reader.language]["unreadable"], columns)


def headline(approval: Approval, reader: Reader) -> str:
    """What would be done, and to what, on one line."""
    known = stored_question.load_question(approval)
    if known is not None:
        return one_line(format_sentence(known.headline, reader), MAX_HEADLINE)
    return f"{quote_name(approval.operation, reader.language)}: {quote_text(approval.name, reader.language)}"


def requester_text(approval: Approval, language: Language) -> str:
    """Who asked, for which SaaS, and whether someone else must approve."""
    words = WORDS[language]
    names = {name: quote_name(getattr(approval, name), language) for name in ("principal", "saas_id", "profile")}
    return words["asked_by"].format(**names) + (words["by_another"] if approval.two_person else "")


def status_text(approval: Approval, now: float, language: Language) -> str:
    """What became of it: how long there is to decide, or who decided and why."""
    words = WORDS[language]
    said = words[approval.status]
    if approval.status == "pending":
        return f"{said} ({time_left_text(approval, now, language)})"
    by = words["decided_by"].format(by=quote_name(approval.decided_by, language)) if approval.decided_by else ""
    return said + by + reason_text(approval, language)


def time_left_text(approval: Approval, now: float, language: Language) -> str:
    """How long there is to decide."""
    return WORDS[language]["waits"].format(minutes=whole_minutes(approval.expires_at - now))


def reason_text(approval: Approval, language: Language) -> str:
    """Why it was rejected, with a colon before it; empty where nothing was said."""
    return f": {quote_text(approval.reason, language)}" if approval.reason else ""


def approval_json(approval: Approval) -> dict[str, Any]:
    """The approval for programs."""
    told = {name: value for name, value in asdict(approval).items() if name not in INTERNAL_FIELDS}
    try:
        return {**told, "question": json.loads(approval.preview)}
    except ValueError:
        return {**told, "question": None}


def whole_minutes(seconds: float) -> int:
    """Whole minutes, rounded up, never below zero."""
    return max(0, math.ceil(seconds / 60))
