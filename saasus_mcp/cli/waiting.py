"""Approvals as the terminal sees them: over every store in the state folder, since a terminal has no credentials."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable

from saasus_mcp.catalog import Language
from saasus_mcp.cli.terminal import safe
from saasus_mcp.cli.wording import WORDS
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions.approvals import Approvals
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.store import Approval, Store


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
    """The stored preview, safe to show."""
    return safe(str(json.loads(approval.preview).get(language, "")))


def minutes(seconds: float) -> int:
    """Whole minutes, rounded up, never below zero."""
    return max(0, math.ceil(seconds / 60))
