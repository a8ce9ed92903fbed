"""A call that is a step of a job: what the yes to the whole plan is worth for it, and what it still needs of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from saasus_mcp.catalog.model import TYPED_LEVELS
from saasus_mcp.permissions.approval.proof import Destination, Proof, json_digest
from saasus_mcp.permissions.inspection.inspect import inspect_call, inspect_target, inspect_without_question
from saasus_mcp.permissions.inspection.preconditions import require_target_exists
from saasus_mcp.permissions.inspection.target import ApiReader
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.permissions.secrets.secret_vault import SECRET_LIFETIME
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.filling import argument_at, fill_placeholders
from saasus_mcp.server.pipeline.call import JobStepRef
from saasus_mcp.server.pipeline.prepared_call import PreparedCall
from saasus_mcp.server.results.result_store import RESULT_LIFETIME as A_DAY
from saasus_mcp.store import ProofUse, StepClaim, StepOutcome

if TYPE_CHECKING:
    from saasus_mcp.store.jobs import JobStore

PLAN_AGAIN_HINT = "Start the job again for a new plan and a new question."


def grant_covers(step: PreparedCall, part: JobStepRef) -> bool:
    """Whether the yes to the plan is a yes to this step; False where it needs an approval of its own.

    Raises:
        Refused: it is a read that would have to be asked about, or the policy now wants more than was given.
    """
    decision = step.decision
    if not part.step:
        if not step.operation.reads or decision.outcome != "allow":
            raise CallRefused(
                Reason.DENIED,
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
        raise CallRefused(
            Reason.STRICTER,
            f"The policy has become stricter since the plan was approved: {decision.reason}.",
            PLAN_AGAIN_HINT,
        )
    return True


async def recheck_target(step: PreparedCall, part: JobStepRef, place: Destination, read: ApiReader) -> PreparedCall:
    """The step with its proof, and with what is there now, seen as for a call of its own.

    Raises:
        Refused: its target is not there, or a bound field of it is not what it was when the plan was agreed to.
    """
    if not part.step:
        return step
    if part.given != "none":
        step = replace(step, proof=Proof(ProofUse("grant", part.job), part.by, part.plan))
    values = step.arguments.values
    if step.operation.level in TYPED_LEVELS:
        seen = await inspect_call(step.operation, values, place.saas_id, read)
    elif part.bound:
        seen = await inspect_target(step.operation, values, place.saas_id, read)
    else:
        seen = await inspect_without_question(step.operation, values, place.saas_id, read, count_users=False)
    require_target_exists(step.operation, values, seen.snapshot)
    if part.bound and part.bound != seen.snapshot.encoded:
        raise CallRefused(Reason.CHANGED, "The target has changed since the plan was approved.", PLAN_AGAIN_HINT)
    return replace(step, inspection=seen)


def earlier_answers(part: JobStepRef, jobs: JobStore) -> dict[str, Any]:
    """What the earlier steps answered of which a step takes something; without those that are not over."""
    return jobs.get_answers(part.job, {name for name, _ in part.later.values()}) if part.later else {}


def require_filled_values(step: PreparedCall, part: JobStepRef, known: Mapping[str, Any]) -> None:
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
            or answer[field] != argument_at(step.arguments.values, argument)
        ):
            raise CallRefused(
                Reason.UNFOUNDED, f"{argument} does not match the value that step {before} returned.", PLAN_AGAIN_HINT
            )


def step_digest(step: PreparedCall, part: JobStepRef) -> str:
    """What a yes to a step is bound to: the call, with a place held for what earlier steps are to give."""
    fixed = fill_placeholders(step.arguments.values, dict.fromkeys(part.later))
    later = {name: list(wanted) for name, wanted in part.later.items()}
    return json_digest({"operation": step.operation.key, "arguments": fixed, "later": later, "bound": part.bound})


def grant_claim(step: PreparedCall) -> StepClaim | None:
    """What a call uses up of its job's grant."""
    part = step.job_step
    return StepClaim(part.job, part.step, step_digest(step, part)) if part is not None and part.step else None


def step_ending(part: JobStepRef | None, given: ToolAnswer) -> StepOutcome | None:
    """What the job is to know of how its step ended."""
    if part is None or not part.step:
        return None
    return StepOutcome(given.applied, "" if given.ok else given.text, given.structured)


def secret_lifetime(part: JobStepRef | None) -> int:
    """Seconds for which the secrets in an answer can be revealed: those of a job are taken out when it is over."""
    return SECRET_LIFETIME if part is None else A_DAY
