"""After the one send: was it done, where nobody knows; and what the journal keeps so that it can be undone."""

from __future__ import annotations

from dataclasses import replace

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.catalog.model import Undo
from saasus_mcp.permissions.proof import Place
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.permissions.reversal import applied, changed_since, inverses, left, made_by
from saasus_mcp.permissions.reversal import read_back as recipe_of
from saasus_mcp.permissions.target import Read, Seen, look, present, shown_arguments
from saasus_mcp.saasus.answer import OUTCOMES, ToolAnswer
from saasus_mcp.saasus.client import Applied
from saasus_mcp.server.step import Step
from saasus_mcp.store import Entry

REVIEW = "Review it and revert it manually."


async def read_back(step: Step, given: ToolAnswer, read: Read) -> ToolAnswer:
    """The answer, with an unknown outcome settled by the row's `verify` recipe where that can tell."""
    wanted = recipe_of(step.operation, step.arguments.values) if given.applied == "unknown" else None
    if wanted is None:
        return given
    seen = await read(*wanted)
    if seen.status is None:
        return given
    done = applied(step.operation, step.arguments.values, seen.status, seen.answer, step.survey.before)
    if done is None:
        return given
    outcome: Applied = "applied" if done else "not_applied"
    told = (
        f"Outcome: {outcome}, as a look at the present state shows: {'it was done' if done else 'nothing was changed'}."
    )
    return replace(given, applied=outcome, text=given.text.replace(OUTCOMES["unknown"], told))


async def see_unchanged(catalogue: Catalogue, undone: Entry, read: Read) -> None:
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
    if undo is not None and (undo.left or made_by(undo)):
        await _see_left(catalogue, operation, undo, undone, read)
        return
    wanted = recipe_of(operation, undone.arguments)
    seen = await read(*wanted) if wanted is not None else Seen(why_not="the API has no read that shows it")
    if seen.status is None:
        raise _unseen(seen.why_not)
    if applied(operation, undone.arguments, seen.status, seen.answer, undone.before) is not True:
        raise _changed()


async def _see_left(catalogue: Catalogue, operation: Operation, undo: Undo, undone: Entry, read: Read) -> None:
    """See the present as the first inverse call would find it."""
    first = next(iter(inverses(operation, undone.arguments, undone.before, undone.result)), None)
    if first is None:
        raise _unseen("its answer is not known")
    inverse = catalogue.find(first.call)
    sight = await look(inverse, first.args, "", read)
    if sight.gone:
        raise _changed("what it made is gone")
    seen = await present(inverse, first.args, sight, read)
    if seen.why_not:
        raise _unseen(seen.why_not)
    if undo.left:
        if left(undo, undone.arguments, undone.before, undone.result, seen.answer) is not True:
            raise _changed()
        return
    differing = changed_since(undone.result, seen.answer)
    if differing:
        raise _changed(", ".join(differing))


def _unseen(why: str) -> Refused:
    return Refused("unseen", f"What the change left cannot be read, so it was not undone: {why}.", REVIEW)


def _changed(what: str = "") -> Refused:
    named = f" ({what})" if what else ""
    message = f"The current state no longer matches what the change left{named}, so it was not undone."
    return Refused("changed", message, REVIEW)


def entry(step: Step, place: Place, now: float) -> Entry | None:
    """What the journal keeps before a call that leaves something behind, whether or not it can be undone; else None."""
    undo = step.operation.effects.undo
    if step.operation.reads or undo is None or (undo.call is None and step.operation.effects.reversibility == "n/a"):
        return None
    return Entry(
        call=step.id,
        at=now,
        operation=step.operation.key,
        principal=step.principal.id,
        profile=place.profile,
        arguments=shown_arguments(step.operation, step.arguments.values),
        before=step.survey.before,
    )
