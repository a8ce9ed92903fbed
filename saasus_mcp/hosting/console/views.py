"""What each page shows: facts from the desk, ready for a template."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from saasus_mcp.catalog import Language
from saasus_mcp.hosting.console.desk import Desk, Found, Room
from saasus_mcp.hosting.console.sessions import Session
from saasus_mcp.permissions.approvals import may_approve
from saasus_mcp.permissions.budgets import CEILINGS, WINDOWS
from saasus_mcp.permissions.case import Ceiling
from saasus_mcp.permissions.policy import Principal
from saasus_mcp.store.records import Kind

RECENT = 20
REFRESH_SECONDS = 30
DONE = frozenset({"approved", "rejected", "frozen", "unfrozen"})
LONGEST_DAYS = 366.0
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
    return Shown(
        "approvals",
        {"waiting": waiting, "decided": decided, "done": _done(asked), "refresh": REFRESH_SECONDS, "here": "approvals"},
    )


def approval(desk: Desk, asked: Asked) -> Shown | None:
    """One approval with its preview, to be decided on."""
    found = desk.find(asked.session.approver, asked.path["code"])
    if found is None:
        return None
    preview = json.loads(found.approval.preview).get(asked.lang, "")
    mine = may_approve(found.approval, asked.session.approver.id)
    values = {"row": _row(desk, found, asked.lang), "preview": preview, "may_approve": mine, "here": "approvals"}
    return Shown("approval", values)


def audit(desk: Desk, asked: Asked) -> Shown:
    """The audit of one profile, filtered; with `verify`, whether its chain holds."""
    rooms = desk.mine(asked.session.approver)
    room = _room(rooms, asked)
    wanted = {name: asked.query.get(name, "").strip() for name in ("operation", "principal", "event")}
    looked = desk.audit(room, wanted, _days(asked)) if room else None
    breaks = room.store().trail.verify() if room and asked.query.get("verify") else None
    counted = len(room.store().audited()) if room and breaks == [] else 0
    values = {
        "rooms": rooms,
        "room": room,
        "wanted": {**wanted, "days": f"{_days(asked):g}"},
        "records": [_record(record) for record in looked.records] if looked else [],
        "more": looked.more if looked else False,
        "breaks": breaks,
        "counted": counted,
        "here": "audit",
    }
    return Shown("audit", values)


def tools(desk: Desk, asked: Asked) -> Shown:
    """Every operation with its level and the decision for someone."""
    rooms = desk.mine(asked.session.approver)
    room = _room(rooms, asked)
    who = asked.query.get("who", "").strip()
    groups = asked.query.get("groups", "").strip()
    named = frozenset(name for part in groups.split(",") if (name := part.strip()))
    principal = Principal(who or asked.session.approver.id, named)
    decided = desk.decisions(principal, (room and room.profile) or "")
    rows = [
        {
            "tool": operation.tool,
            "title": operation.title.get(asked.lang),
            "level": operation.level,
            "outcome": decision.outcome,
            "rule": decision.rule,
        }
        for operation, decision in decided
    ]
    values = {"rooms": rooms, "room": room, "who": principal.id, "groups": groups, "rows": rows, "here": "tools"}
    return Shown("tools", values)


def policy(desk: Desk, _: Asked) -> Shown:
    """The policy in force, as it is written."""
    values = {"name": desk.policy.name, "text": desk.policy_text(), "loud": desk.policy.announcement, "here": "policy"}
    return Shown("policy", values)


def limits(desk: Desk, asked: Asked) -> Shown:
    """What is used of the budgets, and the freeze."""
    now = desk.clock()
    ceilings = {**CEILINGS, **(desk.policy.ceilings or {})}
    frozen, used = [], []
    for room in desk.mine(asked.session.approver):
        freeze = room.store().frozen()
        if freeze is not None:
            frozen.append({"profile": room.name, "by": freeze.by, "at": _time(freeze.at), "reason": freeze.reason})
        for charge in room.store().charged(WINDOWS, now):
            ceiling = ceilings[KINDS[charge.kind]] if desk.policy.ceilings is not None else None
            used.append({"profile": room.name, "charge": charge, "ceiling": ceiling})
    return Shown("limits", {"frozen": frozen, "used": used, "done": _done(asked), "here": "limits"})


def secrets(_: Desk, __: Asked) -> Shown:
    """Where a handle is revealed."""
    return Shown("secrets", {"secret": None, "here": "secrets"})


def _row(desk: Desk, found: Found, lang: Language) -> dict[str, Any]:
    asked = found.approval
    return {
        "code": asked.code,
        "title": desk.title(asked.operation, lang),
        "operation": asked.operation,
        "target": asked.name,
        "who": asked.principal,
        "profile": asked.profile,
        "saas_id": asked.saas_id,
        "status": asked.status,
        "left": max(0, math.ceil((asked.expires_at - desk.clock()) / 60)),
        "at": _time(asked.requested_at),
        "decided_by": asked.decided_by or "",
        "reason": asked.reason or "",
    }


def _record(record: Mapping[str, Any]) -> dict[str, Any]:
    told = {
        name: value for name, value in record.items() if name not in ("at", "event", "call", "operation", "principal")
    }
    return {
        "at": _time(record["at"]),
        "event": record["event"],
        "call": record["call"][:8],
        "operation": record.get("operation", ""),
        "principal": record.get("principal", ""),
        "decision": record.get("decision", record.get("applied", "")),
        "rule": record.get("rule", record.get("status", "")),
        "details": json.dumps(told, ensure_ascii=False, indent=1, default=str),
    }


def _room(rooms: list[Room], asked: Asked) -> Room | None:
    """The chosen profile of those that the person may look into; the first where none is chosen."""
    chosen = asked.query.get("profile", "")
    return next((room for room in rooms if room.name == chosen), rooms[0] if rooms else None)


def _days(asked: Asked) -> float:
    try:
        days = float(asked.query.get("days", "7"))
    except ValueError:
        return 7.0
    return min(max(days, 0.0), LONGEST_DAYS) if math.isfinite(days) else 7.0


def _done(asked: Asked) -> str:
    done = asked.query.get("done", "")
    return f"done_{done}" if done in DONE else ""


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
