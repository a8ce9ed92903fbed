"""The pages of approvals: the list, and one approval with its question."""

from __future__ import annotations

import math
from typing import Any

from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.common.word_search import WordSearch
from saasus_mcp.hosting.console import changes_view
from saasus_mcp.hosting.console.audit_search import ConsoleAuditEntry
from saasus_mcp.hosting.console.audit_view import record_links, shown_outcome
from saasus_mcp.hosting.console.question_view import question_content
from saasus_mcp.hosting.console.service import Listed
from saasus_mcp.hosting.console.views import PageContent, PageRequest
from saasus_mcp.permissions.approval.approvals import may_approve
from saasus_mcp.permissions.question import stored_question
from saasus_mcp.permissions.question.content import Timestamp
from saasus_mcp.permissions.question.formatting import Reader, format_sentence, format_value
from saasus_mcp.store.audit.entries import END_SECONDS
from saasus_mcp.store.audit.reader import RecordPosition
from saasus_mcp.store.records import Approval

RECENT_DECISIONS = 20
MAX_LISTED_NAME = 36
"""Characters of a name in a list: the words that say what would be done stay in the three lines of a card, on a phone too."""
MAX_HEADING_NAME = 48
"""Characters of a name in the heading of a page, which has the whole one below: the warnings stay on the first screen of a phone."""
UNDO_STATUSES = frozenset({"pending", "approved", "stale", "void"})
"""Statuses after which the person of an undo, and not an assistant, goes on."""
STATUS_MARKS = {"pending": "soft small waits", "approved": "good", "rejected": "loud"}
"""How the page of an approval marks its status: green only for what is so for certain."""
OUTCOME_MARKS = {"applied": "good", "not_applied": "loud", "unknown": "loud", "partly": "loud"}
"""How it marks the end of the approved call."""
RELOAD_SECONDS = 30
"""How often a browser without scripts loads the list again."""


def view_approvals(page: PageRequest) -> PageContent:
    """Return the pending approvals and the most recent decisions; with words to search for, the matching ones."""
    search, listed = WordSearch(page.filter_text("q")), page.service.list_approvals(page.approver)
    rows = [_approval_row(page, each) for each in listed if search.matches(_searched_texts(page, each))]
    waiting = [row for row in rows if row["approval"].status == "pending"]
    decided = [row for row in rows if row["approval"].status != "pending"]
    values = {
        "waiting": sorted(waiting, key=lambda row: row["approval"].expires_at),
        "decided": sorted(decided, key=lambda row: _closed_at(row["approval"]), reverse=True)[:RECENT_DECISIONS],
        "q": search.text,
        "reload_seconds": RELOAD_SECONDS,
        "here": "approvals",
    }
    return PageContent("approvals", values)


def view_approval(
    page: PageRequest, error: Message | None = None, typed: str = "", comment: str = ""
) -> PageContent | None:
    """Return one approval with its question.

    Args:
        error: why the last attempt failed.
        typed: the name that was typed in the last attempt.
        comment: the comment of the last attempt.
    """
    listed = page.service.find_approval(page.approver, page.path["code"])
    if listed is None:
        return None
    approval = listed.record
    question = stored_question.load_question(approval)
    row, change = _approval_row(page, listed), _undone_change(page, listed)
    if change and row["shown"] in UNDO_STATUSES:
        row["explanation"] = (
            message("console_jobs.undo_approved_until", until=row["until"])
            if row["shown"] == "approved"
            else one_of("console_jobs.undo_now", row["shown"])
        )
    own_path = f"/approvals/{approval.code}"
    if (use := _use_of(listed)) is not None:
        _tell_outcome(page, listed, row, use)
    values = {
        "row": row,
        "change": change,
        "question": question_content(question, page.reader) if question is not None else None,
        "to_type": stored_question.text_to_type(approval, page.language),
        "asked_by_reader": approval.principal == page.approver.id,
        "may_approve": may_approve(approval, page.approver.id),
        "error": error,
        "typed": typed,
        "comment": comment,
        "links": [link for link in record_links(page.service, use.record) if link[0] != own_path] if use else [],
        "here": "approvals",
    }
    return PageContent("approval", values)


def _undone_change(page: PageRequest, listed: Listed[Approval]) -> str:
    """Return the change whose undo on the console made this person's request; empty if another call did."""
    service, approver, approval = page.service, page.approver, listed.record
    found = service.find_change(approver, page.filter_text("change")) if approval.principal == approver.id else None
    plan = changes_view.plan_here(approver, found) if found is not None else None
    operation = service.find_operation(approval.operation)
    if found is None or plan is None or operation is None:
        return ""
    return found.record.call if any(step.operation.tool == operation.tool for step in plan.steps) else ""


def _use_of(listed: Listed[Approval]) -> ConsoleAuditEntry | None:
    """Return the call that was made with an approval. None if there is no record of it."""
    approval, log = listed.record, listed.context.store().audit_log
    if approval.status != "used" or approval.decided_at is None:
        return None
    record = log.find_proof_use(approval.code, approval.decided_at)
    if record is None:
        return None
    call, at = str(record["call"]), float(record["at"])
    return ConsoleAuditEntry(RecordPosition(at, "", 0), record, log.find_ends([call], at, END_SECONDS).get(call))


def _tell_outcome(page: PageRequest, listed: Listed[Approval], row: dict[str, Any], use: ConsoleAuditEntry) -> None:
    """Say in the row when the call was made and how it ended."""
    kind, outcome = shown_outcome(page.service, listed.context, use)
    if outcome is not None:
        row["explanation"] = message("console.used_at", time=_unbroken(use.position.at, page.reader), outcome=outcome)
        row["mark"] = OUTCOME_MARKS.get(kind, "sheet")


def _approval_row(page: PageRequest, listed: Listed[Approval]) -> dict[str, Any]:
    service, reader, approval, now = page.service, page.reader, listed.record, page.service.clock()
    operation, question = service.find_operation(approval.operation), stored_question.load_question(approval)
    title = f"{service.operation_title(approval.operation, reader.language)}: "
    shown, left = _shown_status(approval, now), max(0, math.ceil(approval.expires_at - now))

    def headline(longest: int = 0) -> str:
        return format_sentence(question.headline, reader, longest) if question else title + approval.name

    return {
        "approval": approval,
        "headline": headline(),
        "title": headline(MAX_LISTED_NAME) if question else title + approval.name[:MAX_LISTED_NAME],
        "heading": headline(MAX_HEADING_NAME),
        "level": operation.level if operation else "",
        "who": page.person(listed.context, approval.principal),
        "profile": approval.profile,
        "saas_id": approval.saas_id,
        "sandbox": listed.context.sandbox,
        "shown": shown,
        "explanation": _explanation(approval, shown, now, reader),
        "mark": STATUS_MARKS.get(shown, "sheet"),
        "left": left,
        "until": _unbroken(approval.expires_at, reader),
        "decided_by": page.person(listed.context, approval.decided_by or ""),
    }


def _explanation(approval: Approval, status: str, now: float, reader: Reader) -> Message:
    """Return what became of an approval, and what can be done now."""
    if status == "rejected" and approval.retry_at is not None and approval.retry_at > now:
        return message("console.rejected_until", time=_unbroken(approval.retry_at, reader))
    if status in ("approved", "stale"):
        until = _unbroken(approval.expires_at, reader)
        return message("console.approved_until" if status == "approved" else "console.expired_at", until=until)
    return one_of("console.now", status)


def _unbroken(at: float, reader: Reader) -> str:
    """Return a time that stays in one line with its zone."""
    return "\N{NO-BREAK SPACE}".join(format_value(Timestamp(at), reader).rsplit(" ", 1))


def _closed_at(approval: Approval) -> float:
    return approval.decided_at or approval.expires_at


def _shown_status(approval: Approval, now: float) -> str:
    """Return the status; "void" if a change of the target or the policy invalidated the approval before its time."""
    return "void" if approval.status == "stale" and approval.expires_at > now else approval.status


def _searched_texts(page: PageRequest, listed: Listed[Approval]) -> list[str]:
    """Return the texts of an approval in which words are searched: both languages, whatever the reader's."""
    approval, question = listed.record, stored_question.load_question(listed.record)
    readers = (Reader.of("en"), Reader.of("ja"))
    headlines = [format_sentence(question.headline, reader) for reader in readers] if question else []
    involved = [str(page.person(listed.context, each or "")) for each in (approval.principal, approval.decided_by)]
    status = one_of("console.approval_status", _shown_status(approval, page.service.clock()))
    names = [approval.name, approval.code, approval.reason or "", *involved, status.text("en"), status.text("ja")]
    return [*headlines, *names, *page.service.operation_names(approval.operation)]
