"""The grant of a job: what the consent to the plan is worth for one step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from saasus_mcp.catalog.levels import TYPED_LEVELS
from saasus_mcp.common.json_path import value_at
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Message, message
from saasus_mcp.permissions.approval.proof import Proof, json_digest
from saasus_mcp.permissions.inspection.inspect import CallInspection, CallInspector
from saasus_mcp.permissions.inspection.preconditions import require_target_exists
from saasus_mcp.permissions.policy.model import Decision, Policy
from saasus_mcp.permissions.question.formatting import read_error
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import JobStepRef
from saasus_mcp.server.pipeline.prepared_call import Authorized, PreparedCall
from saasus_mcp.store.job_records import StepClaim, StepOutcome
from saasus_mcp.store.records import ProofUse

if TYPE_CHECKING:
    from saasus_mcp.store.jobs import JobStore

SUFFICIENT_CONSENT = {"confirm": ("confirmation", "approval"), "approve": ("approval",)}
"""By decision on a step, the kinds of consent to the plan that cover the step."""


def covered_step(call: PreparedCall, decision: Decision, policy: Policy) -> JobStepRef | None:
    """Return the step that the call makes, if the consent to the plan of its job covers it. Without one, the call needs its own.

    Args:
        policy: the one in force now, which may be stricter than when the plan was approved.

    Raises:
        CallRefused: the call is a read that needs a question, or the policy has become stricter than the consent.
    """
    step = call.job_step
    if step is None:
        return None
    level, bulk = call.operation.level, policy.bulk
    if not step.step:
        if not call.operation.reads or decision.outcome != "allow":
            raise CallRefused.because(Reason.DENIED, "server.job_read_not_allowed", reason=decision.reason)
        return step
    if step.listed and not (step.listed <= bulk.max_calls and bulk.allows(level)):
        raise _stricter(message("server.bulk_stricter"))
    if decision.outcome == "allow":
        return step
    is_critical = level == "critical"
    if is_critical and step.critical != call.operation.key:
        return None
    sufficient = SUFFICIENT_CONSENT["approve"] if is_critical else SUFFICIENT_CONSENT.get(decision.outcome, ())
    if step.given not in sufficient or (decision.typed and not step.typed):
        raise _stricter(message("server.policy_stricter", reason=decision.reason))
    if is_critical and not _may_share_approval(call, step, policy):
        raise _stricter(message("server.bulk_stricter"))
    return step


def _may_share_approval(call: PreparedCall, step: JobStepRef, policy: Policy) -> bool:
    """Return whether the policy in force lets one approval cover so many critical calls, given by this person."""
    bulk = policy.bulk
    by_requester = step.by == call.principal.id
    covered = bulk.critical == "once" and step.critical_count <= bulk.critical_limit
    return covered and not (policy.two_person and by_requester)


def _stricter(cause: Message) -> CallRefused:
    return CallRefused(Reason.STRICTER, cause, message("server.plan_again_hint"))


async def authorize_step(
    step: JobStepRef, decision: Decision, answers: Mapping[str, Any], inspector: CallInspector
) -> Authorized:
    """Return the permission for a step that the consent covers, after the target is inspected again.

    Args:
        answers: of earlier steps (see `earlier_answers`).

    Raises:
        CallRefused: an argument is not the value in the answer of an earlier step, or the target does not exist, or has changed
            since the plan was approved.
    """
    call = inspector.call
    _require_values_of(answers, step, call.arguments)
    if not step.step:
        return Authorized(decision)
    proof = Proof(ProofUse("grant", step.job), step.by, step.plan) if step.given != "none" else None
    if call.operation.level in TYPED_LEVELS:
        inspection = await inspector.inspect()
    elif step.bound:
        inspection = await inspector.inspect_target()
    else:
        inspection = await inspector.inspect_without_question(count_users=False)
    require_target_exists(call, inspection.snapshot)
    if step.bound:
        require_same_target(inspection, step.bound)
    return Authorized(decision, proof, inspection)


def require_same_target(inspection: CallInspection, bound: str) -> None:
    """Check that the target is as the person saw it.

    Args:
        bound: the encoded snapshot of the target when the consent was given.

    Raises:
        CallRefused: it has changed, or cannot be read.
    """
    snapshot, hint = inspection.snapshot, message("server.plan_again_hint")
    if snapshot.encoded == bound:
        return
    if snapshot.read_error:
        unread = message("server.job_target_unread", why=read_error(snapshot.read_error))
        raise CallRefused(Reason.UNSEEN, unread, hint)
    raise CallRefused(Reason.CHANGED, message("server.job_target_changed"), hint)


def fill_placeholders(arguments: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments with values in their places: `name`, or `name.0` for an item of a list."""
    filled = dict(arguments)
    for place, value in values.items():
        name, _, index = place.partition(".")
        if index:
            items = list(filled[name])
            items[int(index)] = value
            filled[name] = items
        else:
            filled[name] = value
    return filled


def argument_at(arguments: Mapping[str, Any], place: str) -> Any:
    """Return the value in a place, or None."""
    name, _, index = place.partition(".")
    value = arguments.get(name)
    if not index:
        return value
    return value[int(index)] if isinstance(value, list) and int(index) < len(value) else None


def earlier_answers(step: JobStepRef, jobs: JobStore) -> dict[str, Any]:
    """Return the answers of the finished earlier steps whose values this step takes."""
    return jobs.get_answers(step.job, {name for name, _ in step.later.values()}) if step.later else {}


def _require_values_of(answers: Mapping[str, Any], step: JobStepRef, arguments: Mapping[str, Any]) -> None:
    for place, (earlier, field) in step.later.items():
        value = value_at(answers.get(earlier), field)
        if value is None or value != argument_at(arguments, place):
            mismatch = message("server.step_value_mismatch", argument=place, step=earlier)
            raise CallRefused(Reason.UNFOUNDED, mismatch, message("server.plan_again_hint"))


def step_digest(call: PreparedCall, step: JobStepRef) -> str:
    """Return the digest that the grant allows: the call, with placeholders for the values of earlier steps."""
    fixed = fill_placeholders(call.arguments, dict.fromkeys(step.later))
    later = {name: list(wanted) for name, wanted in step.later.items()}
    content: dict[str, Any] = {"operation": call.operation.key, "arguments": fixed, "later": later, "bound": step.bound}
    if call.undo_ref is not None:
        content["undoes"] = [call.undo_ref.entry.call, call.undo_ref.number]
    return json_digest(content)


def grant_claim(call: PreparedCall) -> StepClaim | None:
    """Return the step of the grant that a call uses up."""
    step = call.job_step
    return StepClaim(step.job, step.step, step_digest(call, step)) if step is not None and step.step else None


def step_outcome(step: JobStepRef | None, answer: ToolAnswer, language: Language) -> StepOutcome | None:
    """Return the outcome that the job records for its step."""
    if step is None or not step.step:
        return None
    return StepOutcome(answer.applied, "" if answer.ok else answer.explain(language), answer.structured)
