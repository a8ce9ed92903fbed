"""What each page shows: facts from the desk, ready for a template."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from saasus_mcp.catalog import Language
from saasus_mcp.hosting.console.desk import Desk, Found, Room
from saasus_mcp.hosting.console.effects import facts
from saasus_mcp.hosting.console.sessions import Session
from saasus_mcp.hosting.console.wording import WORDS, time_text
from saasus_mcp.permissions.approvals import may_approve
from saasus_mcp.permissions.budgets import CEILINGS, WINDOWS
from saasus_mcp.permissions.case import Ceiling
from saasus_mcp.permissions.policy import Principal
from saasus_mcp.permissions.question.dialog import dialog
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.question.model import Question
from saasus_mcp.store.records import Freeze, Kind

RECENT = 20
REFRESH_SECONDS = 30
LONGEST_FILTER = 200
OUTCOMES = ("allow", "confirm", "approve", "deny")
KINDS: Mapping[Kind, Ceiling] = {
    "destructive": "destructive_per_hour",
    "users": "affected_users_per_hour",
    "writes": "writes_per_minute",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request for a page says."""

    query: Mapping[str, str]
    path: Mapping[str, str]
    session: Session
    lang: Language

    def text(self, name: str) -> str:
        """A filter as it was typed."""
        return self.query.get(name, "").strip()[:LONGEST_FILTER]


@dataclass(frozen=True, slots=True)
class Shown:
    """A template and what goes into it."""

    template: str
    values: Mapping[str, Any]


View = Callable[[Desk, Asked], Shown | None]
"""A page; None where there is none."""


def approvals(desk: Desk, asked: Asked) -> Shown:
    """What waits, and what became of the last ones."""
    rows = [_row(desk, found, asked.lang) for found in desk.asked(asked.session.approver)]
    waiting = [row for row in rows if row["status"] == "pending"]
    decided = [row for row in rows if row["status"] != "pending"][:RECENT]
    values = {"waiting": waiting, "decided": decided, "refresh": REFRESH_SECONDS, "here": "approvals"}
    return Shown("approvals", values)


def approval(desk: Desk, asked: Asked, failed: str = "") -> Shown | None:
    """One approval with its preview, to be decided on. `failed`: what was wrong with the last try, in a word."""
    found = desk.find(asked.session.approver, asked.path["code"])
    if found is None:
        return None
    operation = desk.operation(found.approval.operation)
    values = {
        "row": _row(desk, found, asked.lang),
        "preview": dialog(Question.of(found.approval.preview), Reader.of(asked.lang)),
        "may_approve": may_approve(found.approval, asked.session.approver.id),
        "facts": facts(operation, asked.lang) if operation else [],
        "failed": failed,
        "here": "approvals",
    }
    return Shown("approval", values)


def tools(desk: Desk, asked: Asked) -> Shown:
    """Every operation with what it does and the decision for someone."""
    rooms = desk.mine(asked.session.approver)
    room = chosen(rooms, asked)
    who, groups, sought, outcome = (asked.text(name) for name in ("who", "groups", "q", "outcome"))
    named = frozenset(name for part in groups.split(",") if (name := part.strip()))
    principal = Principal(who or asked.session.approver.id, named)
    rows = [
        {
            "tool": operation.tool,
            "key": operation.key,
            "title": operation.title.get(asked.lang),
            "level": operation.level,
            "facts": facts(operation, asked.lang),
            "outcome": decision.outcome,
            "rule": decision.rule,
            "hangs": hangs,
        }
        for operation, decision, hangs in desk.decisions(principal, room)
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
        "local": desk.everything is not None,
        "here": "tools",
    }
    return Shown("tools", values)


def policy(desk: Desk, _: Asked) -> Shown:
    """The policy in force, as it is written."""
    written = desk.written()
    values = {
        "name": desk.policy.name,
        "text": written.text,
        "outdated": written.outdated,
        "loud": desk.policy.announcement,
        "two_person": desk.policy.two_person,
        "local": desk.everything is not None,
        "here": "policy",
    }
    return Shown("policy", values)


def limits(desk: Desk, asked: Asked) -> Shown:
    """What is used of the budgets, and the freezes: of the profiles that the person may look into, and of everything."""
    now, lang, approver = desk.clock(), asked.lang, asked.session.approver
    ceilings = {**CEILINGS, **(desk.policy.ceilings or {})}
    places: list[dict[str, Any]] = []
    used: list[dict[str, Any]] = []
    for room in desk.mine(approver):
        freezes = [_freeze(freeze, room, lang) for freeze in room.store().freezes(room.profile or "")]
        places.append({"room": room, "freezes": freezes, "own": any(each["own"] for each in freezes)})
        for charge in room.store().charged(WINDOWS, now, room.profile):
            ceiling = ceilings[KINDS[charge.kind]] if desk.policy.ceilings is not None else None
            used.append({"room": room, "charge": charge, "ceiling": ceiling})
    everything = desk.may_freeze_everything(approver)
    whole = any(not each["profile"] for place in places for each in place["freezes"])
    values = {"places": places, "used": used, "everything": everything, "whole": whole, "here": "limits"}
    return Shown("limits", values)


def secrets(_: Desk, __: Asked) -> Shown:
    """Where a handle is revealed."""
    return Shown("secrets", {"secret": None, "failed": "", "here": "secrets"})


def account(_: Desk, asked: Asked) -> Shown:
    """Who is signed in, until when, and how to end it."""
    session = asked.session
    values = {
        "groups": sorted(session.approver.groups),
        "since": time_text(session.opened_at, asked.lang),
        "until": time_text(session.expires_at, asked.lang),
        "here": "account",
    }
    return Shown("account", values)


def _freeze(freeze: Freeze, room: Room, lang: Language) -> dict[str, Any]:
    """A freeze that concerns a room. `own`: whether it is the room's own, which whoever may look into it can lift."""
    return {
        "by": freeze.by,
        "at": time_text(freeze.at, lang),
        "reason": freeze.reason,
        "profile": freeze.profile,
        "own": bool(freeze.profile) and room.profile in (None, freeze.profile),
    }


def _row(desk: Desk, found: Found, lang: Language) -> dict[str, Any]:
    asked = found.approval
    operation = desk.operation(asked.operation)
    left = max(0, math.ceil((asked.expires_at - desk.clock()) / 60))
    return {
        "code": asked.code,
        "title": desk.title(asked.operation, lang),
        "operation": operation.tool if operation else asked.operation,
        "level": operation.level if operation else "",
        "target": asked.name,
        "who": asked.principal,
        "profile": asked.profile,
        "saas_id": asked.saas_id,
        "sandbox": found.room.sandbox,
        "status": asked.status,
        "said": WORDS[lang][f"now_{asked.status}"],
        "left": left,
        "soon": left <= 3,  # noqa: PLR2004 - minutes in which one should not read slowly
        "until": time_text(asked.expires_at, lang),
        "at": time_text(asked.requested_at, lang),
        "two_person": asked.two_person,
        "decided_by": asked.decided_by or "",
        "decided_at": time_text(asked.decided_at, lang) if asked.decided_at else "",
        "reason": asked.reason or "",
    }


def chosen(rooms: list[Room], asked: Asked) -> Room | None:
    """The chosen profile of those that the person may look into; the first where none is chosen."""
    chosen = asked.query.get("profile", "")
    return next((room for room in rooms if room.name == chosen), rooms[0] if rooms else None)
