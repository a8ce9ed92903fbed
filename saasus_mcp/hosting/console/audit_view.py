"""The audit page: filtered records, page by page, and the verification of the hash chain."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from saasus_mcp.common import timezones
from saasus_mcp.common.messages import one_of
from saasus_mcp.hosting.console.service import ConsoleService
from saasus_mcp.hosting.console.views import PageContent, PageRequest, select_context
from saasus_mcp.permissions.approval.action_records import action_of
from saasus_mcp.store.audit.log import RecordPosition

DEFAULT_DAYS, MAX_DAYS = 7.0, 366.0
AUDIT_EVENTS = ("begun", "ended", "refused", "decided")
_COLUMNS = frozenset({"at", "event", "call", "operation", "tool", "principal"})
_CURSOR = re.compile(r"([0-9]{1,15}\.[0-9]{1,20})_([0-9a-f]{1,32})_([0-9]{1,9})", re.ASCII)


def view_audit(service: ConsoleService, page: PageRequest) -> PageContent:
    """Return the filtered audit records of one context; with `verify`, also the faults of the hash chain."""
    contexts = service.audit_contexts(page.session.approver)
    context = select_context(contexts, page)
    wanted = {name: page.filter_text(name) for name in ("operation", "principal", "event")}
    filters = {name: value for name, value in wanted.items() if value}
    days, before = _read_days(page), _read_cursor(page)
    found = service.search_audit(context, filters, days, before) if context else None
    log = context.store().audit_log if context and page.query.get("verify") else None
    faults = log.find_breaks() if log else None
    values = {
        "contexts": contexts,
        "context": context,
        "wanted": {**wanted, "days": f"{days:g}"},
        "events": [(event, one_of("console.audit_event", event)) for event in AUDIT_EVENTS],
        "records": [_record_row(record, page.reader.zone) for record in found.records] if found else [],
        "older": _format_cursor(found.next_cursor) if found and found.next_cursor else None,
        "paged": before is not None,
        "faults": faults,
        "counted": log.count_records() if log and not faults else 0,
        "verified_at": timezones.format_instant(service.clock(), page.reader.zone),
        "here": "audit",
    }
    return PageContent("audit", values)


def _record_row(record: Mapping[str, Any], zone: tzinfo) -> dict[str, Any]:
    details = {name: value for name, value in record.items() if name not in _COLUMNS}
    return {
        "at": timezones.format_instant(record["at"], zone),
        "event": one_of("console.audit_event", record["event"]),
        "call": record["call"][:8],
        "operation": record.get("operation") or record.get("tool", ""),
        "principal": record.get("principal", ""),
        "outcome": record.get("decision") or record.get("applied") or record.get("refused") or action_of(record),
        "rule": record.get("rule", ""),
        "status": record.get("status") or "",
        "details": json.dumps(details, ensure_ascii=False, indent=1, default=str),
    }


def _read_days(page: PageRequest) -> float:
    try:
        days = float(page.query.get("days", DEFAULT_DAYS))
    except ValueError:
        return DEFAULT_DAYS
    return min(max(days, 0.0), MAX_DAYS) if math.isfinite(days) else DEFAULT_DAYS


def _format_cursor(position: RecordPosition) -> str:
    """Return a position in the audit log as a query parameter."""
    return f"{position.at!r}_{position.writer}_{position.number}"


def _read_cursor(page: PageRequest) -> RecordPosition | None:
    """Return the position at which this page begins; None for the newest records or an invalid parameter."""
    cursor = _CURSOR.fullmatch(page.query.get("before", ""))
    return RecordPosition(float(cursor[1]), cursor[2], int(cursor[3])) if cursor else None
