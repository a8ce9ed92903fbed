"""What a job asks of a pipeline beside its calls: how a step would be decided on, whether a person still has to, how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from saasus_mcp.catalog.model import TYPED_LEVELS
from saasus_mcp.permissions.case import Decision
from saasus_mcp.permissions.preconditions import require_target
from saasus_mcp.permissions.survey import glance, sights
from saasus_mcp.saasus.answer import ToolAnswer, failed
from saasus_mcp.server import aftermath
from saasus_mcp.server.aside import Given
from saasus_mcp.server.call import Call, Part
from saasus_mcp.server.granted import digest_of
from saasus_mcp.server.pipeline import Pipeline
from saasus_mcp.store import Approval

if TYPE_CHECKING:
    from saasus_mcp.store.jobs import Jobs


@dataclass(frozen=True, slots=True)
class Weighed:
    """What would be decided on a step: its digest, and its target's bound fields where a change of them asks again."""

    decision: Decision
    digest: str
    bound: str = ""


async def weigh(pipeline: Pipeline, call: Call) -> Weighed:
    """What would be decided on a step now. Nothing goes but reads for that.

    Raises:
        SaasusMcpError: there is no such tool, the arguments do not fit it, or its target is not there.
    """
    step, part = pipeline.step(call), call.part or Part("")
    read = sights(pipeline.reader(step))
    decision = await pipeline.deciding.decide(step, read)
    if step.operation.level in TYPED_LEVELS and step.operation.effects.bind:
        seen = await glance(step.operation, step.arguments.values, pipeline.place.saas_id, read)
        if not part.later:  # else it may be of what an earlier step is to make
            require_target(step.operation, step.arguments.values, seen.sight, pipeline.language)
        part = replace(part, bound=seen.sight.bound)
    return Weighed(decision, digest_of(step, part), part.bound)


async def undecided(pipeline: Pipeline, call: Call) -> Approval | None:
    """The approval of this very call that waits for a person."""
    return next((each for each in await _asked(pipeline, call) if each.status == "pending"), None)


async def withdraw(pipeline: Pipeline, call: Call) -> None:
    """Void what a person was asked about this very call, or has agreed to: it is not going to be made."""
    for each in await _asked(pipeline, call):
        if each.status in ("pending", "approved"):
            await pipeline.aside(partial(pipeline.store.withdraw, each.code))


async def pending(pipeline: Pipeline, principal: str) -> list[Approval]:
    """All approvals of a principal's that wait for a person."""
    asked = await pipeline.aside(lambda: pipeline.store.approvals(pipeline.clock()))
    return [each for each in asked if each.status == "pending" and each.principal == principal]


async def _asked(pipeline: Pipeline, call: Call) -> list[Approval]:
    digest = pipeline.step(call).binding(pipeline.place).digest()
    return await pipeline.aside(lambda: pipeline.store.approvals(pipeline.clock(), digest))


async def recover(pipeline: Pipeline, call: Call) -> ToolAnswer:
    """What became of a step that was begun and not seen to end: it is read back, and never sent again."""
    step = pipeline.step(call)
    given = failed("The server stopped during this call.", applied="unknown", trace_id=step.id)
    given = await aftermath.read_back(step, given, pipeline.reader(step))
    await pipeline.ledger.end(step, given, 0.0)
    return given


async def of_jobs(pipeline: Pipeline, look: Callable[[Jobs], Given]) -> Given:
    """What the store knows of jobs, or notes of them, waited for aside."""
    return await pipeline.aside(lambda: look(pipeline.store.jobs))
