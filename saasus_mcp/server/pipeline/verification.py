"""After the one send: was it done, where nobody knows; and what the journal keeps so that it can be undone."""

from __future__ import annotations

from dataclasses import replace

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.catalog.model import UndoRecipe
from saasus_mcp.common.outcome import Outcome
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.inspection.inverse_calls import (
    changed_fields,
    find_inverse_calls,
    is_state_unchanged,
    removes_created_item,
    was_applied,
)
from saasus_mcp.permissions.inspection.inverse_calls import verification_read as recipe_of
from saasus_mcp.permissions.inspection.target import (
    ApiReader,
    ReadResult,
    read_current_state,
    read_target,
    redact_arguments,
)
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.saasus.tool_answer import OUTCOMES, ToolAnswer
from saasus_mcp.server.pipeline.prepared_call import PreparedCall
from saasus_mcp.store import UndoEntry

REVIEW_HINT = "Review it and revert it manually."


async def verify_outcome(step: PreparedCall, given: ToolAnswer, read: ApiReader) -> ToolAnswer:
    """The answer, with an unknown outcome settled by the row's `verify` recipe where that can tell."""
    wanted = recipe_of(step.operation, step.arguments.values) if given.applied == "unknown" else None
    if wanted is None:
        return given
    seen = await read(*wanted)
    if seen.status is None:
        return given
    done = was_applied(step.operation, step.arguments.values, seen.status, seen.answer, step.inspection.before)
    if done is None:
        return given
    outcome: Outcome = Outcome.APPLIED if done else Outcome.NOT_APPLIED
    told = (
        f"Outcome: {outcome}, as a look at the present state shows: {'it was done' if done else 'nothing was changed'}."
    )
    return replace(given, applied=outcome, text=given.text.replace(str(OUTCOMES[Outcome.UNKNOWN]), told))


async def require_unchanged(catalogue: Catalogue, undone: UndoEntry, read: ApiReader) -> None:
    """See that the present is still what a call left behind, so that undoing it overwrites nobody's later work.

    What a call made is compared with its own answer, as the journal keeps it; the recipe for lost answers cannot tell it
    from something of the same name. Of a call that was undone in part, the present is neither: each remaining part was
    checked when the first one went.

    Raises:
        Refused: it is not, or nothing tells.
    """
    if undone.undone:
        return
    operation = catalogue.find(undone.operation)
    undo = operation.effects.undo
    if undo is not None and (undo.left or removes_created_item(undo)):
        await _see_left(catalogue, operation, undo, undone, read)
        return
    wanted = recipe_of(operation, undone.arguments)
    seen = await read(*wanted) if wanted is not None else ReadResult(read_error="the API has no read that shows it")
    if seen.status is None:
        raise _unseen(seen.read_error)
    if was_applied(operation, undone.arguments, seen.status, seen.answer, undone.before) is not True:
        raise _changed()


async def _see_left(
    catalogue: Catalogue, operation: Operation, undo: UndoRecipe, undone: UndoEntry, read: ApiReader
) -> None:
    """See the present as the first inverse call would find it."""
    first = next(iter(find_inverse_calls(operation, undone.arguments, undone.before, undone.result)), None)
    if first is None:
        raise _unseen("its answer is not known")
    inverse = catalogue.find(first.call)
    sight = await read_target(inverse, first.args, "", read)
    if sight.missing:
        raise _changed("what it made is gone")
    seen = await read_current_state(inverse, first.args, sight, read)
    if seen.read_error:
        raise _unseen(seen.read_error)
    if undo.left:
        if is_state_unchanged(undo, undone.arguments, undone.before, undone.result, seen.answer) is not True:
            raise _changed()
        return
    differing = changed_fields(undone.result, seen.answer)
    if differing:
        raise _changed(", ".join(differing))


def _unseen(why: str) -> CallRefused:
    return CallRefused(Reason.UNSEEN, f"What the change left cannot be read, so it was not undone: {why}.", REVIEW_HINT)


def _changed(what: str = "") -> CallRefused:
    named = f" ({what})" if what else ""
    message = f"The current state no longer matches what the change left{named}, so it was not undone."
    return CallRefused(Reason.CHANGED, message, REVIEW_HINT)


def undo_entry(step: PreparedCall, place: Destination, now: float) -> UndoEntry | None:
    """What the journal keeps before a call that leaves something behind, whether or not it can be undone; else None."""
    undo = step.operation.effects.undo
    if step.operation.reads or undo is None or (undo.call is None and step.operation.effects.reversibility == "n/a"):
        return None
    return UndoEntry(
        call=step.id,
        at=now,
        operation=step.operation.key,
        principal=step.principal.id,
        profile=place.profile,
        arguments=redact_arguments(step.operation, step.arguments.values),
        before=step.inspection.before,
    )
