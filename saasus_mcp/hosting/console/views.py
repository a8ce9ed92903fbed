"""What each page shows: facts from the desk, ready for a template."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from saasus_mcp.common.language import Language
from saasus_mcp.hosting.console.effects import effect_facts
from saasus_mcp.hosting.console.question_view import question_content
from saasus_mcp.hosting.console.service import ConsoleService, ListedApproval, ProfileContext
from saasus_mcp.hosting.console.signin_sessions import ConsoleSession
from saasus_mcp.hosting.console.wording import WORDS
from saasus_mcp.permissions.approval.approvals import may_approve
from saasus_mcp.permissions.policy.budgets import DEFAULT_CEILINGS, WINDOWS
from saasus_mcp.permissions.policy.model import Ceiling
from saasus_mcp.permissions.policy.presets import Principal
from saasus_mcp.permissions.question import stored_question
from saasus_mcp.permissions.question.content import Timestamp
from saasus_mcp.permissions.question.formatting import Reader, format_sentence, format_value
from saasus_mcp.store.records import BudgetKind, Freeze

RECENT_DECISIONS = 20
REFRESH_SECONDS = 30
MAX_FILTER_LENGTH = 200
OUTCOMES = ("allow", "confirm", "approve", "deny")
CEILING_OF_KIND: Mapping[BudgetKind, Ceiling] = {
    "destructive": "destructive_per_hour",
    "users": "affected_users_per_hour",
    "writes": "writes_per_minute",
}


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What a request for a page says."""

    query: Mapping[str, str]
    path: Mapping[str, str]
    session: ConsoleSession
    reader: Reader

    @property
    def language(self) -> Language:
        """The language of the page."""
        return self.reader.language

    def filter_text(self, name: str) -> str:
        """A filter as it was typed."""
        return self.query.get(name, "").strip()[:MAX_FILTER_LENGTH]


@dataclass(frozen=True, slots=True)
class PageContent:
    """A template and what goes into it."""

    template: str
    values: Mapping[str, Any]


View = Callable[[ConsoleService, PageRequest], PageContent | None]
"""A page; None where there is none."""


def view_approvals(desk: ConsoleService, asked: PageRequest) -> PageContent:
    """What waits, and what became of the last ones."""
    rows = [_row(desk, found, asked.reader) for found in desk.list_approvals(asked.session.approver)]
    waiting = [row for row in rows if row["status"] == "pending"]
    decided = [row for row in rows if row["status"] != "pending"][:RECENT_DECISIONS]
    values = {"waiting": waiting, "decided": decided, "refresh": REFRESH_SECONDS, "here": "approvals"}
    return PageContent("approvals", values)


def view_approval(desk: ConsoleService, asked: PageRequest, error: str = "", typed: str = "") -> PageContent | None:
    """One approval with its question, to be decided on.

    Args:
        failed: what was wrong with the last try, in a word.
        typed: what was typed then.
    """
    found = desk.find_approval(asked.session.approver, asked.path["code"])
    if found is None:
        return None
    question = stored_question.load_question(found.approval)
    values = {
        "row": _row(desk, found, asked.reader),
        "question": question_content(question, asked.reader) if question is not None else None,
        "older": stored_question.legacy_text(found.approval, asked.language) if question is None else "",
        "to_type": stored_question.text_to_type(found.approval, asked.language),
        "may_approve": may_approve(found.approval, asked.session.approver.id),
        "failed": error,
        "typed": typed,
        "here": "approvals",
    }
    return PageContent("approval", values)


def view_tools(desk: ConsoleService, asked: PageRequest) -> PageContent:
    """Every operation with what it does and the decision for someone."""
    rooms = desk.contexts_of(asked.session.approver)
    room = select_context(rooms, asked)
    who, groups, sought, outcome = (asked.filter_text(name) for name in ("who", "groups", "q", "outcome"))
    named = frozenset(name for part in groups.split(",") if (name := part.strip()))
    principal = Principal(who or asked.session.approver.id, named)
    rows = [
        {
            "tool": operation.tool,
            "key": operation.key,
            "title": operation.title.text(asked.language),
            "level": operation.level,
            "facts": effect_facts(operation, asked.language),
            "outcome": decision.outcome,
            "rule": decision.rule,
            "hangs": hangs,
        }
        for operation, decision, hangs in desk.list_decisions(principal, room)
    ]
    fit = [
        row
        for row in rows
        if outcome in ("", row["outcome"])
        and sought.casefold() in f"{row['tool']} {row['key']} {row['title']} {row['level']}".casefold()
    ]
    values = {
        "rooms": rooms,
        "room": room,
        "who": principal.id,
        "groups": groups,
        "q": sought,
        "outcome": outcome,
        "outcomes": OUTCOMES,
        "rows": fit,
        "total": len(rows),
        "local": desk.freeze_all is not None,
        "here": "tools",
    }
    return PageContent("tools", values)


def view_policy(desk: ConsoleService, _: PageRequest) -> PageContent:
    """The policy in force, as it is written."""
    written = desk.read_policy()
    values = {
        "name": desk.policy.name,
        "text": written.text,
        "outdated": written.outdated,
        "loud": desk.policy.announcement,
        "two_person": desk.policy.two_person,
        "local": desk.freeze_all is not None,
        "here": "policy",
    }
    return PageContent("policy", values)


def view_limits(desk: ConsoleService, asked: PageRequest) -> PageContent:
    """What is used of the budgets, and the freezes: of the profiles that the person may look into, and of everything."""
    now, approver = desk.clock(), asked.session.approver
    ceilings = {**DEFAULT_CEILINGS, **(desk.policy.ceilings or {})}
    places: list[dict[str, Any]] = []
    used: list[dict[str, Any]] = []
    for room in desk.contexts_of(approver):
        freezes = [_freeze(freeze, room, asked.reader) for freeze in room.store().active_freezes(room.profile or "")]
        places.append({"room": room, "freezes": freezes, "own": any(each["own"] for each in freezes)})
        for charge in room.store().budget_usage(WINDOWS, now, room.profile):
            ceiling = ceilings[CEILING_OF_KIND[charge.kind]] if desk.policy.ceilings is not None else None
            used.append({"room": room, "charge": charge, "ceiling": ceiling})
    everything = desk.may_freeze_all(approver)
    whole = any(not each["profile"] for place in places for each in place["freezes"])
    values = {"places": places, "used": used, "everything": everything, "whole": whole, "here": "limits"}
    return PageContent("limits", values)


def view_secrets(_: ConsoleService, __: PageRequest) -> PageContent:
    """Where a handle is revealed."""
    return PageContent("secrets", {"secret": None, "failed": "", "here": "secrets"})


def view_account(_: ConsoleService, asked: PageRequest, error: str = "") -> PageContent:
    """Who is signed in, until when, and how to end it; and the time zone that they read times in."""
    session = asked.session
    values = {
        "groups": sorted(session.approver.groups),
        "since": format_value(Timestamp(session.opened_at), asked.reader),
        "until": format_value(Timestamp(session.expires_at), asked.reader),
        "zone": getattr(asked.reader.zone, "key", "") or asked.reader.zone.tzname(None) or "",
        "failed": error,
        "here": "account",
    }
    return PageContent("account", values)


def _freeze(freeze: Freeze, room: ProfileContext, reader: Reader) -> dict[str, Any]:
    """A freeze that concerns a room. `own`: whether it is the room's own, which whoever may look into it can lift."""
    return {
        "by": freeze.by,
        "at": format_value(Timestamp(freeze.at), reader),
        "reason": freeze.reason,
        "profile": freeze.profile,
        "own": bool(freeze.profile) and room.profile in (None, freeze.profile),
    }


def _row(desk: ConsoleService, found: ListedApproval, reader: Reader) -> dict[str, Any]:
    asked, lang, now = found.approval, reader.language, desk.clock()
    operation, question = desk.find_operation(asked.operation), stored_question.load_question(asked)
    became = "void" if asked.status == "stale" and asked.expires_at > now else asked.status
    left = max(0, math.ceil((asked.expires_at - now) / 60))
    return {
        "code": asked.code,
        "headline": format_sentence(question.headline, reader)
        if question
        else f"{desk.operation_title(asked.operation, lang)}: {asked.name}",
        "operation": operation.tool if operation else asked.operation,
        "level": operation.level if operation else "",
        "who": asked.principal,
        "profile": asked.profile,
        "saas_id": asked.saas_id,
        "sandbox": found.context.sandbox,
        "status": asked.status,
        "became": became,
        "said": WORDS[lang][f"now_{became}"],
        "left": left,
        "soon": left <= 3,  # noqa: PLR2004 - minutes in which one should not read slowly
        "until": f"{datetime.fromtimestamp(asked.expires_at, reader.zone):%H:%M %Z}",
        "at": format_value(Timestamp(asked.requested_at), reader),
        "two_person": asked.two_person,
        "decided_by": asked.decided_by or "",
        "decided_at": format_value(Timestamp(asked.decided_at), reader) if asked.decided_at else "",
        "reason": asked.reason or "",
    }


def select_context(rooms: list[ProfileContext], asked: PageRequest) -> ProfileContext | None:
    """The chosen profile of those that the person may look into; the first where none is chosen."""
    chosen = asked.query.get("profile", "")
    return next((room for room in rooms if room.name == chosen), rooms[0] if rooms else None)
