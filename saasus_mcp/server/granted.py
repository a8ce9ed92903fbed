"""A call that is a step of a job: what the yes to the whole plan is worth for it, and what it still needs of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from saasus_mcp.catalog.model import TYPED_LEVELS, Language
from saasus_mcp.permissions.handles import LIFETIME
from saasus_mcp.permissions.preconditions import require_target
from saasus_mcp.permissions.proof import Place, Proof, digest
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.permissions.survey import glance, survey, unasked
from saasus_mcp.permissions.target import Read
from saasus_mcp.saasus.answer import ToolAnswer
from saasus_mcp.server.call import Part
from saasus_mcp.server.filling import filled, found
from saasus_mcp.server.results import LIFETIME as A_DAY
from saasus_mcp.server.step import Step
from saasus_mcp.store import Claim, Spend, StepEnding

if TYPE_CHECKING:
    from saasus_mcp.store.jobs import Jobs

PLAN_AGAIN = "Start the job again for a new plan and a new question."


def suffices(step: Step, part: Part) -> bool:
    """Whether the yes to the plan is a yes to this step; False where it needs an approval of its own.

    Raises:
        Refused: it is a read that would have to be asked about, or the policy now wants more than was given.
    """
    decision = step.decision
    if not part.step:
        if not step.operation.reads or decision.outcome != "allow":
            raise Refused(
                "denied",
                f"The job needs a read that the policy does not allow without confirmation: {decision.reason}.",
                "Continue without it.",
            )
        return True
    if decision.outcome == "allow":
        return True
    if step.operation.level == "critical":
        return False
    strong = {"confirm": ("confirmation", "approval"), "approve": ("approval",)}.get(decision.outcome, ())
    if part.given not in strong or (decision.typed and not part.typed):
        raise Refused(
            "stricter", f"The policy has become stricter since the plan was approved: {decision.reason}.", PLAN_AGAIN
        )
    return True


async def looked_at(step: Step, part: Part, place: Place, read: Read, language: Language) -> Step:
    """The step with its proof, and with what is there now, seen as for a call of its own.

    Raises:
        Refused: its target is not there, or a bound field of it is not what it was when the plan was agreed to.
    """
    if not part.step:
        return step
    if part.given != "none":
        step = replace(step, proof=Proof(Spend("grant", part.job), part.by, part.plan))
    values = step.arguments.values
    if step.operation.level in TYPED_LEVELS:
        seen = await survey(step.operation, values, place.saas_id, read)
    elif part.bound:
        seen = await glance(step.operation, values, place.saas_id, read)
    else:
        seen = await unasked(step.operation, values, place.saas_id, read, counted=False)
    require_target(step.operation, values, seen.sight, language)
    if part.bound and part.bound != seen.sight.bound:
        raise Refused("changed", "The target has changed since the plan was approved.", PLAN_AGAIN)
    return replace(step, survey=seen)


def earlier(part: Part, jobs: Jobs) -> dict[str, Any]:
    """What the earlier steps answered of which a step takes something; without those that are not over."""
    return jobs.answers(part.job, {name for name, _ in part.later.values()}) if part.later else {}


def check_filled(step: Step, part: Part, known: Mapping[str, Any]) -> None:
    """See that what an earlier step's answer was to give is what it gave.

    Args:
        known: the answers of earlier steps.

    Raises:
        Refused: it is something else, or is not known.
    """
    for argument, (before, field) in part.later.items():
        answer = known.get(before)
        if (
            not isinstance(answer, dict)
            or field not in answer
            or answer[field] != found(step.arguments.values, argument)
        ):
            raise Refused("unfounded", f"{argument} does not match the value that step {before} returned.", PLAN_AGAIN)


def digest_of(step: Step, part: Part) -> str:
    """What a yes to a step is bound to: the call, with a place held for what earlier steps are to give."""
    fixed = filled(step.arguments.values, dict.fromkeys(part.later))
    later = {name: list(wanted) for name, wanted in part.later.items()}
    return digest({"operation": step.operation.key, "arguments": fixed, "later": later, "bound": part.bound})


def claim(step: Step) -> Claim | None:
    """What a call uses up of its job's grant."""
    part = step.part
    return Claim(part.job, part.step, digest_of(step, part)) if part is not None and part.step else None


def ending(part: Part | None, given: ToolAnswer) -> StepEnding | None:
    """What the job is to know of how its step ended."""
    if part is None or not part.step:
        return None
    return StepEnding(given.applied, "" if given.ok else given.text, given.structured)


def lifetime(part: Part | None) -> int:
    """Seconds for which the secrets in an answer can be revealed: those of a job are taken out when it is over."""
    return LIFETIME if part is None else A_DAY
