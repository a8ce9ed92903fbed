"""A job as one matter: decided on by the strictest of its calls, agreed to once, begun and ended in the audit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from saasus_mcp.catalog import Language
from saasus_mcp.permissions.case import Decision, Principal
from saasus_mcp.permissions.impact import Impact
from saasus_mcp.permissions.proof import Binding, Proof, digest
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.permissions.survey import Survey
from saasus_mcp.permissions.target import Sight
from saasus_mcp.server.call import Asking, Call, Part
from saasus_mcp.server.pipeline import Pipeline
from saasus_mcp.server.settling import Looked, Matter
from saasus_mcp.store import Commitment, Grant, StoreError

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
        sight: the name that a person types, and what asks again where it changes.
        previews: what a person reads, in each language.
    """

    id: str
    name: str
    principal: Principal
    arguments: Mapping[str, Any]
    decision: Decision
    plan: str
    steps: Mapping[str, str]
    sight: Sight
    previews: Mapping[Language, str]


async def begin(
    pipeline: Pipeline,
    call: Call,
    plan: Callable[[], Awaitable[Whole]],
    submit: Callable[[Whole, Part], Awaitable[None]],
) -> str | Asking:
    """Have a job agreed to and begin it: its id, or the question to be answered first.

    Args:
        plan: plans the job anew, from the present state.
        submit: hands over what was agreed to, and under what its steps go. It comes before the commitment, so that a job
            that was agreed to is never lost; what was handed over and is not committed to is not to be done.

    Raises:
        SaasusMcpError: it may not happen, or not yet; or it cannot be planned.
    """
    latest, looks = await plan(), 0

    async def look() -> Looked:
        nonlocal latest, looks
        latest = await plan() if looks else latest
        looks += 1
        return Looked(Survey(latest.sight, Impact()), latest.previews)

    try:
        settled = await _settled(pipeline, call, latest, look)
    except Refused as refusal:
        pipeline.store.refuse(latest.id, {**_record(pipeline, latest), "refused": refusal.why}, pipeline.clock())
        raise
    if isinstance(settled, Asking):
        return settled
    part = _part(latest, settled)
    await submit(latest, part)
    _commit(pipeline, latest, part, settled)
    return latest.id


async def _settled(
    pipeline: Pipeline, call: Call, whole: Whole, look: Callable[[], Awaitable[Looked]]
) -> Proof | Asking | None:
    decision = whole.decision
    if decision.outcome == "deny":
        raise Refused("denied", f"{whole.name} is not allowed: {decision.reason}.", "Do not try again.")
    if decision.outcome == "allow":
        return None
    place = pipeline.place
    # Bound to what was asked for; the plan itself is among what is looked at, so that another one asks again.
    binding = Binding(whole.name, digest(dict(whole.arguments)), whole.principal.id, place.profile, place.saas_id)
    matter = Matter(decision, binding, look, call.asker, call.reply, pipeline.policy.two_person)
    settled = await pipeline.settling.settle(matter)
    return settled if isinstance(settled, Asking) else settled.proof


def _part(whole: Whole, proof: Proof | None) -> Part:
    given, by = (proof.spend.kind, proof.by) if proof else ("none", "")
    typed = proof is not None and whole.decision.typed
    return Part(whole.id, given=given, by=by, typed=typed, plan=whole.plan)


def _commit(pipeline: Pipeline, whole: Whole, part: Part, proof: Proof | None) -> None:
    granted = Grant(
        whole.name, whole.principal.id, pipeline.place.profile, whole.plan, part.given, part.by, part.typed, whole.steps
    )
    try:
        pipeline.store.commit(
            whole.id,
            _record(pipeline, whole, proof),
            pipeline.clock(),
            proof.spend if proof else None,
            Commitment(writes=bool(whole.steps), grant=granted),
        )
    except StoreError as error:
        refused = {**_record(pipeline, whole), "refused": type(error).__name__.lower()}
        pipeline.store.refuse(whole.id, refused, pipeline.clock())
        raise


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
    if proof is not None:
        record |= {"proof": proof.spend.kind, "proof_id": proof.spend.id, "by": proof.by, "shown": proof.shown}
    if whole.principal.groups:
        record["groups"] = sorted(whole.principal.groups)
    if pipeline.policy.announcement:
        record["announcement"] = pipeline.policy.announcement
    return record


def _short(value: Any) -> Any:
    return value if len(str(value)) <= LONGEST_ARGUMENT else f"sha256:{digest(value)}"
