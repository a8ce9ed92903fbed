"""What each page shows: facts from the desk, ready for a template."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from saasus_mcp.catalog import Language
from saasus_mcp.hosting.console.desk import Desk, Found, Room
from saasus_mcp.hosting.console.effects import facts
from saasus_mcp.hosting.console.questions import page
from saasus_mcp.hosting.console.sessions import Session
from saasus_mcp.hosting.console.wording import WORDS
from saasus_mcp.permissions.approvals import may_approve
from saasus_mcp.permissions.budgets import CEILINGS, WINDOWS
from saasus_mcp.permissions.case import Ceiling
from saasus_mcp.permissions.policy import Principal
from saasus_mcp.permissions.question import kept
from saasus_mcp.permissions.question.formatting import Reader, fill, say
from saasus_mcp.permissions.question.model import Moment
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
    reader: Reader

    @property
    def lang(self) -> Language:
        """The language of the page."""
        return self.reader.language

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
    rows = [_row(desk, found, asked.reader) for found in desk.asked(asked.session.approver)]
    waiting = [row for row in rows if row["status"] == "pending"]
    decided = [row for row in rows if row["status"] != "pending"][:RECENT]
    values = {"waiting": waiting, "decided": decided, "refresh": REFRESH_SECONDS, "here": "approvals"}
    return Shown("approvals", values)


def approval(desk: Desk, asked: Asked, failed: str = "", typed: str = "") -> Shown | None:
    """One approval with its question, to be decided on.

    Args:
        failed: what was wrong with the last try, in a word.
        typed: what was typed then.
    """
    found = desk.find(asked.session.approver, asked.path["code"])
    if found is None:
        return None
    question = kept.question(found.approval)
    values = {
        "row": _row(desk, found, asked.reader),
        "question": page(question, asked.reader) if question is not None else None,
        "older": kept.older(found.approval, asked.lang) if question is None else "",
        "to_type": kept.to_type(found.approval, asked.lang),
        "may_approve": may_approve(found.approval, asked.session.approver.id),
        "failed": failed,
        "typed": typed,
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
    now, approver = desk.clock(), asked.session.approver
    ceilings = {**CEILINGS, **(desk.policy.ceilings or {})}
    places: list[dict[str, Any]] = []
    used: list[dict[str, Any]] = []
    for room in desk.mine(approver):
        freezes = [_freeze(freeze, room, asked.reader) for freeze in room.store().freezes(room.profile or "")]
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


def account(_: Desk, asked: Asked, failed: str = "") -> Shown:
    """Who is signed in, until when, and how to end it; and the time zone that they read times in."""
    session = asked.session
    values = {
        "groups": sorted(session.approver.groups),
        "since": say(Moment(session.opened_at), asked.reader),
        "until": say(Moment(session.expires_at), asked.reader),
        "zone": getattr(asked.reader.zone, "key", "") or asked.reader.zone.tzname(None) or "",
        "failed": failed,
        "here": "account",
    }
    return Shown("account", values)


def _freeze(freeze: Freeze, room: Room, reader: Reader) -> dict[str, Any]:
    """A freeze that concerns a room. `own`: whether it is the room's own, which whoever may look into it can lift."""
    return {
        "by": freeze.by,
        "at": say(Moment(freeze.at), reader),
        "reason": freeze.reason,
        "profile": freeze.profile,
        "own": bool(freeze.profile) and room.profile in (None, freeze.profile),
    }


def _row(desk: Desk, found: Found, reader: Reader) -> dict[str, Any]:
    asked, lang, now = found.approval, reader.language, desk.clock()
    operation, question = desk.operation(asked.operation), kept.question(asked)
    became = "void" if asked.status == "stale" and asked.expires_at > now else asked.status
    left = max(0, math.ceil((asked.expires_at - now) / 60))
    return {
        "code": asked.code,
        "headline": fill(question.headline, reader)
        if question
        else f"{desk.title(asked.operation, lang)}: {asked.name}",
        "operation": operation.tool if operation else asked.operation,
        "level": operation.level if operation else "",
        "who": asked.principal,
        "profile": asked.profile,
        "saas_id": asked.saas_id,
        "sandbox": found.room.sandbox,
        "status": asked.status,
        "became": became,
        "said": WORDS[lang][f"now_{became}"],
        "left": left,
        "soon": left <= 3,  # noqa: PLR2004 - minutes in which one should not read slowly
        "until": f"{datetime.fromtimestamp(asked.expires_at, reader.zone):%H:%M %Z}",
        "at": say(Moment(asked.requested_at), reader),
        "two_person": asked.two_person,
        "decided_by": asked.decided_by or "",
        "decided_at": say(Moment(asked.decided_at), reader) if asked.decided_at else "",
        "reason": asked.reason or "",
    }


def chosen(rooms: list[Room], asked: Asked) -> Room | None:
    """The chosen profile of those that the person may look into; the first where none is chosen."""
    chosen = asked.query.get("profile", "")
    return next((room for room in rooms if room.name == chosen), rooms[0] if rooms else None)
