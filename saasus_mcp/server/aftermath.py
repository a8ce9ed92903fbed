"""After the one send: was it done, where nobody knows; and what the journal keeps so that it can be undone."""

from __future__ import annotations

from dataclasses import replace

from saasus_mcp.permissions.proof import Place
from saasus_mcp.permissions.reversal import applied
from saasus_mcp.permissions.reversal import read_back as recipe_of
from saasus_mcp.permissions.target import Read, shown_arguments
from saasus_mcp.saasus.answer import OUTCOMES, ToolAnswer
from saasus_mcp.saasus.client import Applied
from saasus_mcp.server.step import Step
from saasus_mcp.store import Entry


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
