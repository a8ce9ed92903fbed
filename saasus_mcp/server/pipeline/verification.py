"""The read that verifies an unknown outcome, the check before an undo, and the entry of the undo log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from saasus_mcp.catalog import Catalogue
from saasus_mcp.catalog.model import UndoRecipe
from saasus_mcp.catalog.question_texts import load_question_texts
from saasus_mcp.common.messages import Localized, Message, message, one_of
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.inspection.inspect import CallInspection, CallInspector
from saasus_mcp.permissions.inspection.inverse_calls import (
    changed_fields,
    find_inverse_calls,
    removes_created_item,
    verification_read,
    was_applied,
)
from saasus_mcp.permissions.inspection.target import STATUS_NOT_FOUND, ApiReader
from saasus_mcp.permissions.operation_call import OperationCall
from saasus_mcp.permissions.question.formatting import read_error
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.prepared_call import PreparedCall
from saasus_mcp.store.records import UndoEntry


async def verify_outcome(call: PreparedCall, answer: ToolAnswer, read: ApiReader, before: Any = None) -> ToolAnswer:
    """Return the answer, with the outcome that the read of the operation's `verify` recipe shows, if it can.

    Args:
        answer: returned unchanged unless its outcome is unknown.
        before: the state before the call, if it was read.
    """
    wanted = verification_read(call) if answer.applied == Outcome.UNKNOWN else None
    if wanted is None:
        return answer
    seen = await read(*wanted)
    if seen.status is None:
        return answer
    applied = was_applied(call, seen.status, seen.answer, before)
    if applied is None:
        return answer
    outcome = Outcome.APPLIED if applied else Outcome.NOT_APPLIED
    return answer.with_outcome(outcome, one_of("server.verified", outcome))


async def require_unchanged(catalogue: Catalogue, entry: UndoEntry, read: ApiReader) -> None:
    """Check that the current state is what a call left behind, so that its undo overwrites no later change.

    A created item is compared with the answer in the undo log, because the `verify` recipe cannot tell it from another
    item of the same name. An undo that is partly done is not checked again: its state matches neither side.

    Raises:
        CallRefused: the state has changed, or it cannot be read.
    """
    if entry.undone:
        return
    done = OperationCall(catalogue.find(entry.operation), entry.arguments)
    undo = done.operation.effects.undo
    if undo is not None and (undo.left or removes_created_item(undo)):
        await _require_item_unchanged(catalogue, done, undo, entry, read)
        return
    wanted = verification_read(done)
    if wanted is None:
        raise _unreadable(message("server.undo_no_read"))
    seen = await read(*wanted)
    if seen.status is None or (seen.read_error and seen.status != STATUS_NOT_FOUND):
        raise _unreadable(read_error(seen.read_error))
    if was_applied(done, seen.status, seen.answer, entry.before) is not True:
        raise _changed(await _find_difference(done, read))


async def _find_difference(done: OperationCall, read: ApiReader) -> Message:
    """Return how the current state differs from the one that a call left behind, as far as its recipes tell."""
    effects, inspector = done.operation.effects, CallInspector(done, "", read)
    if effects.effect == "create":
        return message("server.undo_item_gone")
    snapshot = await inspector.read_target()
    if snapshot.missing:
        return message("server.undo_target_gone")
    present = (await inspector.read_before(snapshot)).answer
    now = {} if effects.diff is None else done.evaluate_each(effects.diff.now, result=present)
    return _different(done, changed_fields(done.arguments, now))


async def _require_item_unchanged(
    catalogue: Catalogue, done: OperationCall, undo: UndoRecipe, entry: UndoEntry, read: ApiReader
) -> None:
    """Check the item that the first inverse call would change."""
    first = next(find_inverse_calls(done, entry.before, entry.result, entry.at), None)
    if first is None:
        raise _unreadable(message("server.undo_result_unknown"))
    inspector = CallInspector(OperationCall(catalogue.find(first.call), first.args), "", read)
    snapshot = await inspector.read_target()
    if snapshot.missing:
        raise _changed(message("server.undo_item_gone"))
    seen = await inspector.read_before(snapshot)
    if seen.read_error:
        raise _unreadable(read_error(seen.read_error))
    if undo.left:
        if done.evaluate(undo.left, before=entry.before, present=seen.answer, result=entry.result) is not True:
            raise _changed(message("server.undo_changed"))
        return
    fields = changed_fields(entry.result, seen.answer)
    if fields:
        raise _changed(_different(done, fields))


def _different(done: OperationCall, fields: Sequence[str]) -> Message:
    """Return that the current state differs in these fields; without a name, that it differs."""
    texts = load_question_texts()
    labels = tuple(texts.field(done.operation.key, name).label for name in fields if name)
    return message("server.undo_changed_fields", fields=labels) if labels else message("server.undo_changed")


def _unreadable(reason: Localized) -> CallRefused:
    text = message("server.undo_unreadable", reason=reason)
    return CallRefused(Reason.UNSEEN, text, message("server.undo_review_hint"))


def _changed(text: Message) -> CallRefused:
    return CallRefused(Reason.CHANGED, text, message("server.undo_review_hint"))


def undo_entry(
    call: PreparedCall, inspection: CallInspection, destination: Destination, now: float
) -> UndoEntry | None:
    """Return the entry of the undo log for a call, or None if the call leaves nothing behind."""
    if not call.operation.leaves_undo_entry:
        return None
    return UndoEntry(
        call=call.id,
        at=now,
        operation=call.operation.key,
        principal=call.principal.id,
        profile=destination.profile,
        arguments=call.redacted_arguments(),
        before=inspection.before,
        target="" if inspection.snapshot.read_error else inspection.snapshot.name,
        names=inspection.names,
    )
