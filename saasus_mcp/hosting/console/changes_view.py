"""The pages of the undo log: what was changed, how far it can be undone, and how. A caller of the profile undoes it here.

The pipeline of the profile decides, asks and records as for any call.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import Any

from anyio.to_thread import run_sync

from saasus_mcp.catalog import UnknownTool
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.common.word_search import WordSearch
from saasus_mcp.hosting.console.question_view import question_content
from saasus_mcp.hosting.console.rendering import safe_path
from saasus_mcp.hosting.console.service import ConsoleService, Listed
from saasus_mcp.hosting.console.views import PageContent, PageRequest, View
from saasus_mcp.permissions.approval.action_records import ActionKind
from saasus_mcp.permissions.approval.confirmation import FIELD_NAME, FIELD_YES, ClientAnswer, ConfirmationReply
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import DeferredElicitor, PendingElicitation
from saasus_mcp.server.pipeline.deletions import Deletions, deletions_by_call
from saasus_mcp.server.pipeline.undo import (
    Undoer,
    UndoPlan,
    UndoStep,
    describe_change,
    describe_step,
    plan_undo,
    preview_undo,
)
from saasus_mcp.store.records import Approval, UndoEntry
from saasus_mcp.store.signin_sessions import Approver

PAGE_SIZE = 50
UNDO_REASONS = frozenset({"undone", "alreadyused"})
"""Reasons that have a text of their own for the undo."""


@dataclass(frozen=True, slots=True)
class UndoRefused:
    """The answer of a step that was not made.

    Attributes:
        change: the change that was to be undone.
        code: of the approval that the step waits for; empty for another reason.
    """

    change: Listed[UndoEntry]
    answer: ToolAnswer
    code: str


def plan_here(approver: Approver, listed: Listed[UndoEntry]) -> UndoPlan | None:
    """Return the calls that undo a change, if the console can make them; else None. Whether this person may is another question.

    It cannot on the console of one machine, which has no pipeline, or if a person must enter a secret again: a terminal can.
    """
    pipeline = listed.context.pipeline
    if pipeline is None:
        return None
    with suppress(CallRefused, UnknownTool):
        plan = plan_undo(
            pipeline.catalogue, listed.record, Undoer(Principal(approver.id), is_approver=True), pipeline.destination
        )
        return None if any(step.missing_paths for step in plan.steps if not step.is_done) else plan
    return None


async def undo_change(
    page: PageRequest, call: str, reply: ConfirmationReply | None, *, is_first: bool
) -> PendingElicitation | UndoRefused | None:
    """Make the calls that undo a change and are not made yet. Return the question or the refusal of the next one, if any.

    Args:
        reply: the approver's answer to an earlier question.
        is_first: whether the approver has just begun, which is recorded.

    Raises:
        CallRefused: there is no such change, it cannot be undone here, or the approver is no caller of the profile.
    """
    service, approver = page.service, page.approver
    listed = await run_sync(service.find_change, approver, call)
    plan = plan_here(approver, listed) if listed is not None else None
    if listed is None or plan is None or (pipeline := listed.context.pipeline) is None:
        raise CallRefused.because(Reason.UNKNOWN, "hosting.undo_not_here")
    principal = listed.context.find_caller(approver)
    if principal is None:
        raise CallRefused(Reason.UNKNOWN, message("hosting.undo_not_caller"), message("hosting.undo_not_here_hint"))
    if is_first:
        entry = listed.record
        details = {"profile": entry.profile, "operation": entry.operation, "from_call": entry.call}
        await run_sync(partial(service.record, listed.context, approver, ActionKind.UNDO, **details))
    for step in plan.steps:
        if step.is_done:
            continue
        made = plan.call_for(step, {}, principal)
        result = await pipeline.run(replace(made, elicitor=DeferredElicitor(), reply=reply))
        reply = None
        if isinstance(result, PendingElicitation):
            return result
        if not result.ok:
            awaited = result.app_data.get("approval", {}) if result.why == Reason.APPROVAL else {}
            return UndoRefused(listed, result, str(awaited.get("code", "")))
    return None


def read_reply(fields: Mapping[str, str]) -> ConfirmationReply | None:
    """Return the answer in a form, or None in the form that begins."""
    state = fields.get("state", "")
    content = {FIELD_NAME: fields.get("name", ""), FIELD_YES: True}
    return ConfirmationReply(ClientAnswer("accept", content, at_terminal=True), state) if state else None


def view_changes(page: PageRequest) -> PageContent:
    """Return the newest changes, those of one job, or those that match a search."""
    search, job = WordSearch(page.filter_text("q")), page.filter_text("job")
    every = page.service.list_changes(page.approver)
    deleted = _deletions(page.service, every)
    of_job = [each for each in every if not job or each.record.job == job]
    found = [each for each in of_job if search.matches(_searched_texts(page, each))]
    values = {
        "rows": [_change_row(page, each, deleted) for each in found[:PAGE_SIZE]],
        "more": len(found) - PAGE_SIZE,
        "q": search.text,
        "job": job,
        "here": "changes",
    }
    return PageContent("changes", values)


def view_change(page: PageRequest, error: str = "") -> PageContent | None:
    """Return one change: its call, the state before, and how to undo it. `error`: why the undo was refused."""
    service, listed = page.service, page.service.find_change(page.approver, page.path["call"])
    if listed is None:
        return None
    entry, plan = listed.record, plan_here(page.approver, listed)
    may_undo = listed.context.find_caller(page.approver) is not None
    row = _change_row(page, listed, _deletions(service, service.list_changes(page.approver)))
    steps = plan.steps if plan is not None and row["extent"] != "gone" else ()
    values = {
        "error": error,
        "may_undo": may_undo,
        "hosted": listed.context.pipeline is not None,
        "steps": [_step_row(plan, step, page.reader) for step in steps] if plan is not None else [],
        "asked": _pending_undo(page, listed, steps),
        "row": row,
        "arguments": _indented(entry.arguments),
        "before": _indented(entry.before) if entry.before is not None else "",
        "undone_by": sorted(set(entry.undone.values())),
        "here": "changes",
    }
    return PageContent("change", values)


def view_undo(page: PageRequest, asked: PendingElicitation, error: str = "") -> PageContent | None:
    """Return the question that the approver must answer before a change is undone. `error`: why the last answer was refused."""
    listed, question = page.service.find_change(page.approver, page.path["call"]), asked.prompt.question
    if listed is None or question is None:
        return None
    values = {
        "row": _change_row(page, listed, {}),
        "question": question_content(question, page.reader),
        "state_of_question": asked.state,
        "to_type": asked.prompt.name,
        "error": error,
        "here": "changes",
    }
    return PageContent("undo", values)


@dataclass(frozen=True, slots=True)
class UndoAnswer:
    """The answer to the form.

    Attributes:
        path: the page to go to; the address of `view` if there is one.
        view: the page to show at once: a question, or why nothing was undone.
    """

    path: str
    view: View | None = None
    status: int = HTTPStatus.OK


async def answer_undo(page: PageRequest, fields: Mapping[str, str]) -> UndoAnswer:
    """Undo a change, or ask the approver first, as the policy requires.

    Raises:
        CallRefused: there is no such change, or this person cannot undo it here.
    """
    call, reply = fields.get("call", ""), read_reply(fields)
    undo = partial(undo_change, page, call)
    path, error, status = safe_path(f"/changes/{call}"), "", HTTPStatus.OK
    result = await undo(reply, is_first=reply is None)
    if isinstance(result, UndoRefused):
        if result.code:
            return UndoAnswer(f"/approvals/{result.code}?change={result.change.record.call}")
        error, status = _refusal_text(result, page.reader), HTTPStatus.UNPROCESSABLE_ENTITY
        if reply is not None and result.answer.why == Reason.DECLINED:  # a wrong name: ask again
            result = await undo(None, is_first=False)
    if result is None:
        return UndoAnswer(path)
    if isinstance(result, PendingElicitation):
        return UndoAnswer(path, partial(view_undo, asked=result, error=error), status)
    return UndoAnswer(path, partial(view_change, error=error), status)


def _refusal_text(refused: UndoRefused, reader: Reader) -> str:
    """Return why a step of an undo was not made."""
    entry, why = refused.change.record, refused.answer.why
    if why == Reason.DECLINED:
        return message("console_jobs.undo_mismatch").text(reader.language)
    if why in UNDO_REASONS:
        names = {"principal": entry.principal, "profile": entry.profile}
        return one_of("cli_undo.refused", why, **names).text(reader.language)
    return refused.answer.explain(reader.language)


def _step_row(plan: UndoPlan, step: UndoStep, reader: Reader) -> dict[str, Any]:
    described = describe_step(plan, step)
    undo = step.operation.effects.undo
    return {
        "sentence": described.sentence(reader),
        "lines": described.all_lines(reader),
        "tool": step.operation.tool,
        "arguments": _indented(step.args),
        "done": step.is_done,
        "final": undo is None or undo.kind == "lost",
    }


def _pending_undo(page: PageRequest, listed: Listed[UndoEntry], steps: Sequence[UndoStep]) -> Approval | None:
    """Return the approval that a step of an undo already waits for: of the same operation, for the same name."""
    names = {
        (step.operation.key, str(name))
        for step in steps
        for name in (*step.args.values(), subject_of(page.service, listed.record))
    }
    approvals = page.service.list_approvals(page.approver)
    pending = (each.record for each in approvals if each.context == listed.context)
    return next(
        (
            each
            for each in pending
            if each.status == "pending"
            and each.profile == listed.record.profile
            and (each.operation, each.name) in names
        ),
        None,
    )


def _deletions(service: ConsoleService, every: Iterable[Listed[UndoEntry]]) -> Mapping[str, Deletions]:
    """Return what later changes deleted, by the call of each change."""
    logs: dict[int, list[UndoEntry]] = {}
    for each in every:
        logs.setdefault(id(each.context), []).append(each.record)
    return deletions_by_call(service.catalogue, logs.values())


def _change_row(page: PageRequest, listed: Listed[UndoEntry], deleted: Mapping[str, Deletions]) -> dict[str, Any]:
    service, reader, entry = page.service, page.reader, listed.record
    preview = preview_undo(service.catalogue, entry, deleted.get(entry.call))
    said = describe_change(service.catalogue, entry)
    needs = preview is not None and preview.needs_approval
    group = "cli_undo.extent_with_approval" if needs else "cli_undo.extent"
    return {
        "entry": entry,
        "tool": service.tool_name(entry.operation),
        "sentence": said.sentence(reader) if said is not None else entry.operation,
        "changes": said.lines(reader) if said is not None else [],
        "extent": preview.extent if preview is not None else "",
        "extent_label": one_of(group, preview.extent) if preview is not None else None,
        "note": preview.note if preview is not None and preview.extent not in ("undone", "begun") else None,
        "who": page.person(listed.context, entry.principal),
        "profile": entry.profile,
        "saas_id": listed.context.saas_id,
        "sandbox": listed.context.sandbox,
        "job_title": service.operation_title(entry.job_name, reader.language) if entry.job else "",
    }


def _searched_texts(page: PageRequest, listed: Listed[UndoEntry]) -> list[str]:
    service, entry, who = page.service, listed.record, str(page.person(listed.context, listed.record.principal))
    own = (subject_of(service, entry), *entry.names.values(), entry.call, who, entry.job)
    return [*own, *service.operation_names(entry.operation)]


def subject_of(service: ConsoleService, entry: UndoEntry) -> str:
    """Return the name of what a change was made to; empty if another version made the call."""
    preview = preview_undo(service.catalogue, entry)
    return preview.subject if preview is not None else ""


def _indented(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)
