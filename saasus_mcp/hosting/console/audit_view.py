"""The page of the audit: its records, filtered and page by page, and whether their chain holds."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from saasus_mcp.common import timezones
from saasus_mcp.hosting.console.service import ConsoleService
from saasus_mcp.hosting.console.views import PageContent, PageRequest, select_context
from saasus_mcp.store.audit.log import RecordPosition

MAX_DAYS = 366.0
AUDIT_EVENTS = ("begun", "ended", "refused", "decided")


def view_audit(desk: ConsoleService, asked: PageRequest) -> PageContent:
    """The audit of one profile, filtered; with `verify`, whether its chain holds."""
    rooms = desk.audit_contexts(asked.session.approver)
    room = select_context(rooms, asked)
    wanted = {name: asked.filter_text(name) for name in ("operation", "principal", "event")}
    looked = (
        desk.search_audit(room, {k: v for k, v in wanted.items() if v}, _days(asked), _before(asked)) if room else None
    )
    breaks = room.store().audit_log.find_breaks() if room and asked.query.get("verify") else None
    values = {
        "rooms": rooms,
        "room": room,
        "wanted": {**wanted, "days": f"{_days(asked):g}"},
        "events": AUDIT_EVENTS,
        "records": [_record(record, asked.reader.zone) for record in looked.records] if looked else [],
        "older": _cursor(looked.next_cursor) if looked and looked.next_cursor else None,
        "paged": _before(asked) is not None,
        "breaks": breaks,
        "counted": room.store().audit_log.count_records() if room and breaks == [] else 0,
        "verified_at": timezones.format_instant(desk.clock(), asked.reader.zone),
        "here": "audit",
    }
    return PageContent("audit", values)


_COLUMNS = ("at", "event", "call", "operation", "tool", "principal")


def _record(record: Mapping[str, Any], zone: tzinfo) -> dict[str, Any]:
    told = {name: value for name, value in record.items() if name not in _COLUMNS}
    came_to = record.get("decision") or record.get("applied") or record.get("refused") or record.get("deed", "")
    return {
        "at": timezones.format_instant(record["at"], zone),
        "event": record["event"],
        "call": record["call"][:8],
        "operation": record.get("operation") or record.get("tool", ""),
        "principal": record.get("principal", ""),
        "came_to": came_to,
        "rule": record.get("rule", ""),
        "status": record.get("status") or "",
        "details": json.dumps(told, ensure_ascii=False, indent=1, default=str),
    }


def _days(asked: PageRequest) -> float:
    try:
        days = float(asked.query.get("days", "7"))
    except ValueError:
        return 7.0
    return min(max(days, 0.0), MAX_DAYS) if math.isfinite(days) else 7.0


def _cursor(place: RecordPosition) -> str:
    """A place in the audit, as an address has it."""
    return f"{place.at!r}_{place.writer}_{place.number}"


def _before(asked: PageRequest) -> RecordPosition | None:
    """Where a further page of the audit begins; the newest records where that cannot be read."""
    found = _CURSOR.fullmatch(asked.query.get("before", ""))
    return RecordPosition(float(found[1]), found[2], int(found[3])) if found else None


_CURSOR = re.compile(r"([0-9]{1,15}\.[0-9]{1,20})_([0-9a-f]{1,32})_([0-9]{1,9})", re.ASCII)
