"""A job as one matter: decided on by the strictest of its calls, agreed to once, begun and ended in the audit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from saasus_mcp.permissions.case import Decision, Principal
from saasus_mcp.permissions.confirmation import Reply
from saasus_mcp.permissions.impact import Impact
from saasus_mcp.permissions.narrowed import NARROWED, NARROWED_MEND
from saasus_mcp.permissions.narrowing import EVERYTHING
from saasus_mcp.permissions.proof import Binding, Proof, digest
from saasus_mcp.permissions.question.model import Question
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.permissions.survey import Survey
from saasus_mcp.permissions.target import Sight
from saasus_mcp.server.call import Asking, Call, Part
from saasus_mcp.server.pipeline import Pipeline
from saasus_mcp.server.settling import MOST_ROUNDS, Looked, Matter, Settled
from saasus_mcp.store import Commitment, Grant, StoreError

MOST_RUNNING = 3
"""Jobs of one principal at the same time: others use the API, too."""
LONGEST_ARGUMENT = 200
"""Characters of an argument's JSON in the audit; of a longer one its digest: a list of people is no business of a log."""


@dataclass(frozen=True, slots=True)
class Whole:
    """What a job would do, all of it.

    Attributes:
        id: of the job, and of its record in the audit.
        decision: the strictest on any of its calls.
        plan: digest of the plan.
        steps: by step, the digest of the call that it would make.
        sight: what a person types, and what asks again where it changes.
        question: what a person is asked.
        counted: whether they type what it says to type, even where a plain yes would be enough for each of the calls.
    """

    id: str
    name: str
    principal: Principal
    arguments: Mapping[str, Any]
    decision: Decision
    plan: str
    steps: Mapping[str, str]
    sight: Sight
    question: Question
    counted: bool = False


async def begin(
    pipeline: Pipeline,
    call: Call,
    plan: Callable[[float], Awaitable[Whole]],
    submit: Callable[[Whole, Part], Awaitable[None]],
) -> str | Asking:
    """Have a job agreed to and begin it: its id, or the question to be answered first.

    Args:
        plan: plans the job from the present state; it is given the seconds that a person has taken to answer so far.
        submit: hands over what was agreed to, and under what its steps go. It comes before the commitment, so that a job
            that was agreed to is never lost; what was handed over and is not committed to is not to be done.

    Raises:
        SaasusMcpError: it may not happen, or not yet; or it cannot be planned.
    """
    call, asked = call.timed()
    reply, rounds = call.reply, 0
    while True:
        latest = await plan(asked())
        asker = call.asker if rounds < MOST_ROUNDS else None
        try:
            settled = await _settled(pipeline, replace(call, asker=asker, reply=reply), latest)
        except Refused as refusal:
            await _refuse(pipeline, latest, refusal.why)
            raise
        if not isinstance(settled, Reply):
            break
        reply, rounds = settled, rounds + 1  # while the person thought, all of it may have changed
    if isinstance(settled, Asking):
        return settled
    part = _part(latest, settled)
    await submit(latest, part)
    await _commit(pipeline, latest, part, settled)
    return latest.id


async def _settled(pipeline: Pipeline, call: Call, whole: Whole) -> Proof | Asking | Reply | None:
    decision = whole.decision
    if decision.outcome == "deny":
        mend = NARROWED_MEND if decision.why == NARROWED else "Do not try again."
        raise Refused(decision.why, f"{whole.name} is not allowed: {decision.reason}.", mend)
    if decision.outcome == "allow":
        if call.reply is not None:
            pipeline.settling.heed(call.reply)
        return None

    async def look() -> Looked:
        return Looked(Survey(whole.sight, Impact()), whole.question)

    place = pipeline.place
    # Bound to what was asked for; the plan itself is among what is looked at, so that another one asks again.
    asked = digest(dict(whole.arguments))
    binding = Binding(whole.name, asked, whole.principal.id, place.profile, place.saas_id, whole.question.name)
    two_person = pipeline.policy.two_person
    if whole.counted and decision.outcome == "confirm":
        decision = replace(decision, typed=True)
    matter = Matter(decision, binding, look, call.asker, call.reply, two_person, call.usher, call.visited)
    settled = await pipeline.settling.settle(matter)
    return settled.proof if isinstance(settled, Settled) else settled


def _part(whole: Whole, proof: Proof | None) -> Part:
    given, by = (proof.spend.kind, proof.by) if proof else ("none", "")
    typed = proof is not None and whole.decision.typed
    return Part(whole.id, given=given, by=by, typed=typed, plan=whole.plan)


async def _commit(pipeline: Pipeline, whole: Whole, part: Part, proof: Proof | None) -> None:
    profile = pipeline.place.profile
    granted = Grant(
        whole.name,
        whole.principal.id,
        profile,
        whole.plan,
        part.given,
        part.by,
        part.typed,
        whole.steps,
        MOST_RUNNING,
    )
    record, spend = _record(pipeline, whole, proof), proof.spend if proof else None
    commitment = Commitment(writes=bool(whole.steps), profile=profile, grant=granted)
    try:
        await pipeline.aside(lambda: pipeline.store.commit(whole.id, record, pipeline.clock(), spend, commitment))
    except StoreError as error:
        await _refuse(pipeline, whole, type(error).__name__.lower())
        raise


async def _refuse(pipeline: Pipeline, whole: Whole, why: str) -> None:
    refused = {**_record(pipeline, whole), "refused": why}
    await pipeline.aside(lambda: pipeline.store.refuse(whole.id, refused, pipeline.clock()))


def _record(pipeline: Pipeline, whole: Whole, proof: Proof | None = None) -> dict[str, Any]:
    """What the audit says of a job when it begins."""
    place = pipeline.place
    record: dict[str, Any] = {
        "operation": whole.name,
        "principal": whole.principal.id,
        "profile": place.profile,
        "saas_id": place.saas_id,
        "arguments": {name: _short(value) for name, value in whole.arguments.items()},
        "decision": whole.decision.outcome,
        "rule": whole.decision.rule,
        "reason": whole.decision.reason,
        "plan": whole.plan,
        "steps": len(whole.steps),
    }
    if whole.question.reason:
        record["requester_reason"] = whole.question.reason
    if proof is not None:
        record |= {"proof": proof.spend.kind, "proof_id": proof.spend.id, "by": proof.by, "shown": proof.shown}
    if whole.principal.narrowing != EVERYTHING:
        record["narrowing"] = whole.principal.narrowing.told()
    if whole.principal.groups:
        record["groups"] = sorted(whole.principal.groups)
    if pipeline.policy.announcement:
        record["announcement"] = pipeline.policy.announcement
    return record


def _short(value: Any) -> Any:
    return value if len(str(value)) <= LONGEST_ARGUMENT else f"sha256:{digest(value)}"
