"""The pages of approvals: the list, and one approval with its question."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from saasus_mcp.common.messages import Message, one_of
from saasus_mcp.hosting.console import undo_actions
from saasus_mcp.hosting.console.people_view import PagePeople
from saasus_mcp.hosting.console.question_view import question_content
from saasus_mcp.hosting.console.record_links import record_links
from saasus_mcp.hosting.console.service import ConsoleService, ListedApproval
from saasus_mcp.hosting.console.views import PageContent, PageRequest
from saasus_mcp.hosting.console.word_search import WordSearch
from saasus_mcp.permissions.approval.approvals import may_approve
from saasus_mcp.permissions.question import stored_question
from saasus_mcp.permissions.question.content import Timestamp
from saasus_mcp.permissions.question.formatting import Reader, format_sentence, format_value

RECENT_DECISIONS = 20
EXPIRES_SOON_MINUTES = 3
UNDO_STATUSES = frozenset({"pending", "approved", "stale", "void"})
"""Statuses after which the person of an undo, and not an assistant, goes on."""
RELOAD_SECONDS = 30
"""How often a browser without scripts loads the list again."""


def view_approvals(service: ConsoleService, page: PageRequest) -> PageContent:
    """Return the pending approvals and the most recent decisions; with words to search for, the matching ones."""
    search, people = WordSearch(page.filter_text("q")), PagePeople()
    rows = [
        _approval_row(service, each, page.reader, people)
        for each in service.list_approvals(page.session.approver)
        if search.matches(_searched_texts(service, each, people))
    ]
    waiting = [row for row in rows if row["status"] == "pending"]
    values = {
        "waiting": sorted(waiting, key=lambda row: row["seconds"]),
        "decided": [row for row in rows if row["status"] != "pending"][:RECENT_DECISIONS],
        "q": search.text,
        "reload_seconds": RELOAD_SECONDS,
        "here": "approvals",
    }
    return PageContent("approvals", values)


def view_approval(
    service: ConsoleService, page: PageRequest, error: Message | None = None, typed: str = "", comment: str = ""
) -> PageContent | None:
    """Return one approval with its question.

    Args:
        error: why the last attempt failed.
        typed: the name that was typed in the last attempt.
        comment: the comment of the last attempt.
    """
    listed = service.find_approval(page.session.approver, page.path["code"])
    if listed is None:
        return None
    approval = listed.approval
    question = stored_question.load_question(approval)
    row, change = _approval_row(service, listed, page.reader, PagePeople()), _undone_change(service, page, listed)
    if change and row["explanation_key"] in UNDO_STATUSES:
        row["explanation"] = one_of("console_jobs.undo_now", row["explanation_key"])
    values = {
        "row": row,
        "change": change,
        "question": question_content(question, page.reader) if question is not None else None,
        "older": stored_question.legacy_text(approval, page.language) if question is None else "",
        "to_type": stored_question.text_to_type(approval, page.language),
        "may_approve": may_approve(approval, page.session.approver.id),
        "error": error,
        "typed": typed,
        "comment": comment,
        "links": _links(service, listed),
        "here": "approvals",
    }
    return PageContent("approval", values)


def _undone_change(service: ConsoleService, page: PageRequest, listed: ListedApproval) -> str:
    """Return the change whose undo on the console made this person's request; empty if another call did."""
    approver, approval = page.session.approver, listed.approval
    found = service.find_change(approver, page.filter_text("change")) if approval.principal == approver.id else None
    plan = undo_actions.plan_here(approver, found) if found is not None else None
    operation = service.find_operation(approval.operation)
    if found is None or plan is None or operation is None:
        return ""
    return found.entry.call if any(step.operation.tool == operation.tool for step in plan.steps) else ""


def _links(service: ConsoleService, listed: ListedApproval) -> list[tuple[str, Message]]:
    """Return the pages of what was done with an approval."""
    approval = listed.approval
    if approval.status != "used" or approval.decided_at is None:
        return []
    record = listed.context.store().audit_log.find_proof_use(approval.code, approval.decided_at)
    own = f"/approvals/{approval.code}"
    return [] if record is None else [link for link in record_links(service, record) if link[0] != own]


def _approval_row(
    service: ConsoleService, listed: ListedApproval, reader: Reader, people: PagePeople
) -> dict[str, Any]:
    approval, now = listed.approval, service.clock()
    operation, question = service.find_operation(approval.operation), stored_question.load_question(approval)
    # An approval that is stale before its time was invalidated by a change of the target or the policy.
    status = "void" if approval.status == "stale" and approval.expires_at > now else approval.status
    left = max(0, math.ceil((approval.expires_at - now) / 60))
    title = service.operation_title(approval.operation, reader.language)
    return {
        "code": approval.code,
        "headline": format_sentence(question.headline, reader) if question else f"{title}: {approval.name}",
        "operation": operation.tool if operation else approval.operation,
        "level": operation.level if operation else "",
        "level_label": one_of("console.level_name", operation.level) if operation else None,
        "who": people.view(listed.context, approval.principal),
        "profile": approval.profile,
        "saas_id": approval.saas_id,
        "sandbox": listed.context.sandbox,
        "status": approval.status,
        "status_label": one_of("console.approval_status", status),
        "explanation": one_of("console.now", status),
        "explanation_key": status,
        "left": left,
        "seconds": max(0, math.ceil(approval.expires_at - now)),
        "soon": left <= EXPIRES_SOON_MINUTES,
        "until": f"{datetime.fromtimestamp(approval.expires_at, reader.zone):%H:%M %Z}",
        "at": format_value(Timestamp(approval.requested_at), reader),
        "two_person": approval.two_person,
        "decided_by": people.view(listed.context, approval.decided_by or ""),
        "decided_at": format_value(Timestamp(approval.decided_at), reader) if approval.decided_at else "",
        "reason": approval.reason or "",
    }


def _searched_texts(service: ConsoleService, listed: ListedApproval, people: PagePeople) -> list[str]:
    """Return the texts of an approval in which words are searched: both languages, whatever the reader's."""
    approval, question = listed.approval, stored_question.load_question(listed.approval)
    readers = (Reader.of("en"), Reader.of("ja"))
    headlines = [format_sentence(question.headline, reader) for reader in readers] if question else []
    involved = [str(people.view(listed.context, each or "")) for each in (approval.principal, approval.decided_by)]
    names = [approval.name, approval.code, approval.reason or "", *involved]
    return [*headlines, *names, *service.operation_names(approval.operation)]
