"""After the one send: was it done, where nobody knows; and what the journal keeps so that it can be undone."""

from __future__ import annotations

from dataclasses import replace

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.proof import Place
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.permissions.reversal import applied
from saasus_mcp.permissions.reversal import read_back as recipe_of
from saasus_mcp.permissions.target import Read, Seen, shown_arguments
from saasus_mcp.saasus.answer import OUTCOMES, ToolAnswer
from saasus_mcp.saasus.client import Applied
from saasus_mcp.server.step import Step
from saasus_mcp.store import Entry

UNSEEN_MEND = "Look at it and change it back by a call of its own."


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

    Of a call that was undone in part, the present is neither: each remaining part was checked when the first one went.

    Raises:
        Refused: it is not, or nothing tells.
    """
    if undone.undone:
        return
    operation = catalogue.find(undone.operation)
    wanted = recipe_of(operation, undone.arguments)
    seen = await read(*wanted) if wanted is not None else Seen(why_not="the API has no read that shows it")
    if seen.status is None:
        raise Refused("unseen", f"What the call left behind cannot be seen: {seen.why_not}.", UNSEEN_MEND)
    if applied(operation, undone.arguments, seen.status, seen.answer, undone.before) is not True:
        raise Refused("changed", "The present does not show itself to be what the call left behind.", UNSEEN_MEND)


def entry(step: Step, place: Place, now: float) -> Entry | None:
    """What the journal keeps before a call that another call undoes; None for others."""
    undo = step.operation.effects.undo
    if step.operation.reads or undo is None or undo.call is None:
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
