"""Approvals as the terminal sees them: over every store in the state folder, since a terminal has no credentials."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from saasus_mcp.catalog import Language
from saasus_mcp.cli.columns import available, wrapped
from saasus_mcp.cli.question import shown
from saasus_mcp.cli.terminal import safe
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions.approvals import Approvals
from saasus_mcp.permissions.question import kept
from saasus_mcp.permissions.question.formatting import Reader, fill
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.saasus.words import named, one_line, quoted
from saasus_mcp.store import Approval, Store

INTERNAL = ("binding", "bound", "subject", "preview")
"""What the server compares, of no use to a reader; and the question, which is told under a name of its own."""
LONGEST_HEADLINE = 400


class UnknownCode(SaasusMcpError):
    """There is no approval with this code, or none that is pending."""


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


def look_up(stores: Iterable[Store], code: str, now: float, language: Language) -> Approval:
    """The approval with this code, whatever became of it.

    Raises:
        UnknownCode: no store has it.
    """
    wanted = code.strip().upper().replace("-", "")
    for approval in asked(stores, now, decided=True):
        if approval.code.replace("-", "") == wanted:
            return approval
    words = WORDS[language]
    raise UnknownCode(words["no_such_code"].format(code=safe(code[:40])), words["no_such_code_mend"])


def asked(stores: Iterable[Store], now: float, *, decided: bool) -> list[Approval]:
    """What waits for a decision, newest first; with `decided` also what was decided on or has expired."""
    every = [approval for store in stores for approval in Approvals(store).all(now)]
    wanted = [approval for approval in every if decided or approval.status == "pending"]
    return sorted(wanted, key=lambda approval: approval.requested_at, reverse=True)


def question(approval: Approval, reader: Reader, *, details: bool = False) -> Iterator[str]:
    """What is asked, a line each; that it cannot be shown where another version asked."""
    known, columns = kept.question(approval), available()
    if known is not None:
        yield from shown(known, reader, columns, details=details)
        return
    older = kept.older(approval, reader.language)
    yield from wrapped(safe(older) or WORDS[reader.language]["unreadable"], columns)


def subject(approval: Approval, reader: Reader) -> str:
    """What would be done, and to what, on one line."""
    known = kept.question(approval)
    if known is not None:
        return one_line(fill(known.headline, reader), LONGEST_HEADLINE)
    return f"{named(approval.operation, reader.language)}: {quoted(approval.name, reader.language)}"


def requester(approval: Approval, language: Language) -> str:
    """Who asked, for which SaaS, and whether someone else must approve."""
    words = WORDS[language]
    names = {name: named(getattr(approval, name), language) for name in ("principal", "saas_id", "profile")}
    return words["asked_by"].format(**names) + (words["by_another"] if approval.two_person else "")


def status(approval: Approval, now: float, language: Language) -> str:
    """What became of it: how long there is to decide, or who decided and why."""
    words = WORDS[language]
    said = words[approval.status]
    if approval.status == "pending":
        return f"{said} ({left(approval, now, language)})"
    by = words["decided_by"].format(by=named(approval.decided_by, language)) if approval.decided_by else ""
    return said + by + reason(approval, language)


def left(approval: Approval, now: float, language: Language) -> str:
    """How long there is to decide."""
    return WORDS[language]["waits"].format(minutes=minutes(approval.expires_at - now))


def reason(approval: Approval, language: Language) -> str:
    """Why it was rejected, with a colon before it; empty where nothing was said."""
    return f": {quoted(approval.reason, language)}" if approval.reason else ""


def record(approval: Approval) -> dict[str, Any]:
    """The approval for programs."""
    told = {name: value for name, value in asdict(approval).items() if name not in INTERNAL}
    try:
        return {**told, "question": json.loads(approval.preview)}
    except ValueError:
        return {**told, "question": None}


def minutes(seconds: float) -> int:
    """Whole minutes, rounded up, never below zero."""
    return max(0, math.ceil(seconds / 60))
