"""The undo of a change on the console, by a caller of the profile. Its pipeline decides, asks and records as for any call."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from anyio.to_thread import run_sync

from saasus_mcp.catalog import UnknownTool
from saasus_mcp.common.messages import message
from saasus_mcp.hosting.console.service import ConsoleService, Listed
from saasus_mcp.hosting.console.signin_sessions import Approver
from saasus_mcp.permissions.approval.action_records import ActionKind
from saasus_mcp.permissions.approval.confirmation import (
    FIELD_NAME,
    FIELD_YES,
    ClientAnswer,
    ConfirmationReply,
)
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import DeferredElicitor, PendingElicitation
from saasus_mcp.server.pipeline.undo import Undoer, UndoPlan, plan_undo
from saasus_mcp.store.records import UndoEntry


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
    service: ConsoleService, approver: Approver, call: str, reply: ConfirmationReply | None, *, is_first: bool
) -> PendingElicitation | UndoRefused | None:
    """Make the calls that undo a change and are not made yet. Return the question or the refusal of the next one, if any.

    Args:
        reply: the approver's answer to an earlier question.
        is_first: whether the approver has just begun, which is recorded.

    Raises:
        CallRefused: there is no such change, it cannot be undone here, or the approver is no caller of the profile.
    """
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
