"""The audit page: filtered entries, page by page, with links to what they belong to, and the check of the hash chain."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import Any, get_args

from saasus_mcp.catalog.tool_names import ToolFilter
from saasus_mcp.common import timezones
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.common.person import Person
from saasus_mcp.common.word_search import WordSearch
from saasus_mcp.hosting.console.audit_search import OUTCOMES, AuditFilter, ConsoleAuditEntry, search_page
from saasus_mcp.hosting.console.changes_view import subject_of
from saasus_mcp.hosting.console.jobs_view import has_failures
from saasus_mcp.hosting.console.service import ConsoleService, ProfileContext
from saasus_mcp.hosting.console.views import PageContent, PageRequest, select_context
from saasus_mcp.permissions.approval.action_records import ActionKind, action_of
from saasus_mcp.permissions.policy.model import DecisionOutcome
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.question.stored_question import text_to_type
from saasus_mcp.permissions.refusal import Reason
from saasus_mcp.store.audit.entries import tool_of
from saasus_mcp.store.audit.reader import RecordPosition
from saasus_mcp.store.errors import (
    AlreadyUsed,
    BudgetExceeded,
    GrantExpired,
    StoreError,
    TooManyJobs,
    WritesFrozen,
    WrongKey,
)
from saasus_mcp.store.job_records import JobStatus

DEFAULT_DAYS = 7
AUDIT_EVENTS = ("begun", "requested", "refused", "decided")
STORE_REASONS = frozenset(
    error.reason
    for error in (StoreError, AlreadyUsed, BudgetExceeded, GrantExpired, TooManyJobs, WritesFrozen, WrongKey)
)
REASONS = (
    frozenset(Reason) | STORE_REASONS | {"confirmation", "invalid_arguments", "unknown_tool", "failed", "cancelled"}
)
DECISIONS = frozenset(get_args(DecisionOutcome))
ACTIONS = frozenset(ActionKind)
"""The values that this version knows by name."""
JOB_ACTIONS = (ActionKind.PAUSE, ActionKind.RESUME, ActionKind.JOB_CANCEL)
HTTP_ANSWERS: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.CONFLICT: "conflict",
    HTTPStatus.TOO_MANY_REQUESTS: "too_many",
}
HTTP_CLASSES: Mapping[int, str] = {2: "done", 4: "wrong", 5: "failed"}
"""What the other statuses mean, by their first digit."""
FILTERS = ("q", "operation", "principal", "event", "outcome", "reads")
_COLUMNS = frozenset({"at", "event", "call", "operation", "tool", "principal"})
_CURSOR = re.compile(r"([0-9]{1,15}\.[0-9]{1,20})_([0-9a-f]{1,32})_([0-9]{1,9})", re.ASCII)


def view_audit(page: PageRequest) -> PageContent:
    """Return the filtered entries of one context; with `verify`, also the faults of the hash chain."""
    service, contexts = page.service, page.service.audit_contexts(page.approver)
    context = select_context(contexts, page)
    first, last = _read_dates(page)
    asked = _CURSOR.fullmatch(page.query.get("before", ""))
    before = RecordPosition(float(asked[1]), asked[2], int(asked[3])) if asked else None
    fault = find_filter_fault(page)
    records: list[dict[str, Any]] = []
    cursor = None
    if context is not None and fault is None:
        found, cursor = search_page(service, context, read_filter(page), before)
        records = [_entry_row(page, context, entry) for entry in found]
    log = context.store().audit_log if context and page.query.get("verify") else None
    faults = log.find_breaks() if log else None
    values = {
        "contexts": contexts,
        "context": context,
        "wanted": {name: page.filter_text(name) for name in FILTERS} | {"from": first.isoformat(), "to": last},
        "events": AUDIT_EVENTS,
        "outcomes": OUTCOMES,
        "records": records,
        "older": f"{cursor.at!r}_{cursor.writer}_{cursor.number}" if cursor is not None else None,
        "paged": before is not None,
        "fault": fault,
        "nearest": _nearest_tools(page) if not records and cursor is None else None,
        "faults": faults,
        "counted": log.count_records() if log and not faults else 0,
        "verified_at": timezones.format_instant(service.clock(), page.reader.zone),
        "filtered": any(page.filter_text(name) for name in (*FILTERS, "from", "to")),
        "zone": datetime.fromtimestamp(service.clock(), page.reader.zone).tzname(),
        "here": "audit",
    }
    return PageContent("audit", values)


def find_filter_fault(page: PageRequest) -> Message | None:
    """Return why a search cannot be made as it was asked for; None if it can. It must not show more than was wanted."""
    contexts = page.service.audit_contexts(page.approver)
    wanted = page.query.get("profile", "")
    if wanted and all(each.name != wanted for each in contexts):
        return message("hosting.unknown_profile")
    if any(text and _parse_date(text) is None for text in map(page.filter_text, ("from", "to"))):
        return message("console_audit.bad_date")
    first, last = _read_dates(page)
    return message("console_audit.dates_reversed") if last and first.isoformat() > last else None


def _nearest_tools(page: PageRequest) -> Message | None:
    """Return the tools that may be meant, if the filter names none of this version."""
    wanted = ToolFilter(page.filter_text("operation"), page.service.catalogue)
    if wanted.names_some():
        return None
    nearest = wanted.nearest()
    return message("cli.nearest_names", names=nearest) if nearest else None


def read_filter(page: PageRequest) -> AuditFilter:
    """Return the wanted entries of a request. Days are those of the reader's time zone."""
    first, last = _read_dates(page)
    end = date.fromisoformat(last) + timedelta(days=1) if last else None
    return AuditFilter(
        WordSearch(page.filter_text("q")),
        since=_start_of(first, page.reader),
        until=_start_of(end, page.reader) if end is not None else math.inf,
        tool=ToolFilter(page.filter_text("operation"), page.service.catalogue),
        principal=page.filter_text("principal"),
        event=page.filter_text("event"),
        outcome=page.filter_text("outcome"),
        own_reads=bool(page.filter_text("reads")),
    )


def _entry_row(page: PageRequest, context: ProfileContext, entry: ConsoleAuditEntry) -> dict[str, Any]:
    service, reader = page.service, page.reader
    record, operation = entry.record, tool_of(entry.record)
    called = Person(str(record.get("principal_name", "")), str(record.get("principal_email", "")))
    applied, outcome = shown_outcome(service, context, entry)
    details = {name: value for name, value in record.items() if name not in _COLUMNS}
    if entry.end is not None:
        details["end"] = {name: value for name, value in entry.end.items() if name not in ("event", "call")}
    return {
        "at": timezones.format_instant(record["at"], reader.zone),
        "event": entry.event,
        "call": record["call"][:8],
        "title": service.operation_title(operation, reader.language) if operation else "",
        "subject": _subject(service, context, record, reader.language),
        "operation": service.tool_name(operation),
        "principal": page.person(context, str(record.get("principal", "")), called),
        "decision": decision_text(record, reader),
        "verdict": bool(record.get("decision") and not record.get("refused")),
        "mark": {"approve": "approved", "reject": "rejected"}.get(action_of(record), ""),
        "rule": record.get("rule", ""),
        "by_label": "console_audit.approved_by" if record.get("proof") == "approval" else "console.by",
        "by": page.person(context, str(record.get("by", ""))),
        "outcome": outcome,
        "applied": applied,
        "status": entry.http_status,
        "answer": http_text(entry.end_status),
        "links": record_links(service, record),
        "details": json.dumps(details, ensure_ascii=False, indent=1, default=str),
    }


def shown_outcome(
    service: ConsoleService, context: ProfileContext, entry: ConsoleAuditEntry
) -> tuple[str, Message | None]:
    """Return how a call ended: the kind of its mark, and the text. A job says so itself if it still runs, or some of its rows failed."""
    usual = entry.outcome, outcome_text(service, entry)
    if not tool_of(entry.record).startswith("job_") or entry.outcome in ("unknown", ""):
        return usual
    job = context.store().jobs.get(str(entry.record["call"]))
    if job is None:
        return usual
    if entry.outcome == "open":
        return ("running", message("console_audit.running")) if job.status == "running" else usual
    is_partly = job.status == "done" and has_failures(job)
    return ("partly", message("console_audit.partly")) if is_partly else usual


def _subject(service: ConsoleService, context: ProfileContext, record: Mapping[str, Any], language: Language) -> str:
    """Return the name of the target, as the change or the approval of a record states it; empty without either."""
    store = context.store()
    code = _approval_code(record)
    approval = store.find_approval(code, service.clock()) if code else None
    if approval is not None:
        return text_to_type(approval, language)
    operation = service.find_operation(tool_of(record))
    if record["event"] != "begun" or operation is None or operation.reads:
        return ""
    entry = store.undo_log.get(str(record["call"]))
    return subject_of(service, entry) if entry is not None else ""


def record_links(service: ConsoleService, record: Mapping[str, Any]) -> list[tuple[str, Message]]:
    """Return the path and the label of each page. The page of a change is missing if the call changed nothing."""
    operation = tool_of(record)
    code = _approval_code(record)
    links = [(f"/approvals/{code}", message("console_live.to_approval"))] if code else []
    job = record["call"] if operation.startswith("job_") and record["event"] == "begun" else ""
    if not job and record.get("action") in JOB_ACTIONS:
        job = record.get("from_call", "")
    if job:
        links.append((f"/jobs/{job}", message("console_live.to_job")))
    known = service.find_operation(operation)
    if record["event"] == "begun" and known is not None and not known.reads:
        links.append((f"/changes/{record['call']}", message("console_live.to_change")))
    return links


def _approval_code(record: Mapping[str, Any]) -> str:
    """Return the code of the approval that a record is about, or by which its call was made; empty without one."""
    return str(record.get("code") or (record.get("proof_id") if record.get("proof") == "approval" else "") or "")


def decision_text(record: Mapping[str, Any], reader: Reader) -> str:
    """Return the reason of a refusal, the decision on a call, or the action of a person; other versions' words as recorded."""
    if refused := str(record.get("refused", "")):
        return one_of("console_audit.reason", refused).text(reader.language) if refused in REASONS else refused
    if decision := str(record.get("decision", "")):
        return one_of("console.decision_value", decision).text(reader.language) if decision in DECISIONS else decision
    action = action_of(record)
    return one_of("console_audit.action", action).text(reader.language) if action in ACTIONS else action


def outcome_text(service: ConsoleService, entry: ConsoleAuditEntry) -> Message | None:
    """Return how a call ended. A read that was answered is not called `not applied`."""
    if not entry.outcome:
        return None
    operation = service.find_operation(tool_of(entry.record))
    if operation is not None and operation.reads and entry.end is not None:
        return message("console_audit.read" if entry.end.get("ok") else "console_audit.not_read")
    if entry.outcome == "not_applied" and entry.end_status in get_args(JobStatus):
        return one_of("console_jobs.status", str(entry.end_status))  # a report changes nothing
    return one_of("console_audit.outcome", entry.outcome)


def http_text(status: object) -> Message:
    """Return what an HTTP status of the API means."""
    name = HTTP_ANSWERS.get(status) or HTTP_CLASSES.get(status // 100) if isinstance(status, int) else None
    return one_of("console_audit.http", name or "other")


def _read_dates(page: PageRequest) -> tuple[date, str]:
    """Return the first and the last day, in the reader's time zone. The last one is empty for an open end."""
    today = datetime.fromtimestamp(page.service.clock(), page.reader.zone).date()
    last = _parse_date(page.filter_text("to"))
    first = _parse_date(page.filter_text("from")) or min(last or today, today) - timedelta(days=DEFAULT_DAYS)
    return first, last.isoformat() if last is not None else ""


def _parse_date(text: str) -> date | None:
    """Return a day within the range of time zones, or None."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1970 < day.year < 9999 else None  # noqa: PLR2004 - the years that every zone can show


def _start_of(day: date, reader: Reader) -> float:
    return float(timezones.start_of_day(day.year, day.month, day.day, reader.zone))
