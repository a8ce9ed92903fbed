"""Approvals as the terminal sees them: over every store in the state folder, since a terminal has no credentials."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from saasus_mcp.catalog import Catalogue, Language, UnknownTool
from saasus_mcp.cli.terminal import safe
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions.approvals import Approvals
from saasus_mcp.permissions.question.dialog import dialog
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.question.model import Question
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.saasus.words import named, quoted
from saasus_mcp.store import Approval, Store

INTERNAL = ("binding", "bound", "subject")
"""What the server compares: of no use to a reader."""


class UnknownCode(SaasusMcpError):
    """No approval with this code is pending."""


def find(stores: Iterable[Store], code: str, now: float, language: Language) -> tuple[Approvals, Approval]:
    """The pending approval with this code, however it was typed, and the store's approvals that it is one of.

    Raises:
        UnknownCode: no store has it.
    """
    for store in stores:
        approvals = Approvals(store)
        try:
            return approvals, approvals.find(code, now)
        except Refused:
            continue
    words = WORDS[language]
    raise UnknownCode(words["unknown_code"].format(code=safe(code[:40])), words["unknown_code_mend"])


def asked(stores: Iterable[Store], now: float, *, decided: bool) -> list[Approval]:
    """What waits for a decision, newest first; with `decided` also what was decided on or has expired."""
    every = [approval for store in stores for approval in Approvals(store).all(now)]
    wanted = [approval for approval in every if decided or approval.status == "pending"]
    return sorted(wanted, key=lambda approval: approval.requested_at, reverse=True)


def preview(approval: Approval, language: Language) -> str:
    """The stored question, safe to show."""
    return safe(dialog(Question.of(approval.preview), Reader.of(language)))


def subject(approval: Approval, catalogue: Catalogue, language: Language) -> str:
    """What would be done, and to what."""
    try:
        title = catalogue.find(approval.operation).title.get(language)
    except UnknownTool:  # asked by another version
        title = named(approval.operation, language)
    return f"{title}: {quoted(approval.name, language)}"


def requester(approval: Approval, language: Language) -> str:
    """Who asked, for which SaaS, and whether someone else must approve."""
    words = WORDS[language]
    names = {name: named(getattr(approval, name), language) for name in ("principal", "saas_id", "profile")}
    return words["asked_by"].format(**names) + (words["by_another"] if approval.two_person else "")


def left(approval: Approval, now: float, language: Language) -> str:
    """How long there is to decide."""
    return WORDS[language]["waits"].format(minutes=minutes(approval.expires_at - now))


def reason(approval: Approval, language: Language) -> str:
    """Why it was rejected, with a colon before it; empty where nothing was said."""
    return f": {quoted(approval.reason, language)}" if approval.reason else ""


def record(approval: Approval) -> dict[str, Any]:
    """The approval for programs."""
    kept = {name: value for name, value in asdict(approval).items() if name not in INTERNAL}
    return {**kept, "preview": json.loads(approval.preview)}


def minutes(seconds: float) -> int:
    """Whole minutes, rounded up, never below zero."""
    return max(0, math.ceil(seconds / 60))
