"""Step 4 of a call: the policy's decision, with the live state that its rules on such a call speak of."""

from __future__ import annotations

from dataclasses import replace

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.inspection.inspect import inspect_call, inspect_target
from saasus_mcp.permissions.inspection.target import ApiReader
from saasus_mcp.permissions.policy.model import Decision, Policy, PolicyInput, stricter_decision
from saasus_mcp.server.pipeline.prepared_call import PreparedCall


class PolicyEvaluator:
    """Decides by one policy, in one place."""

    def __init__(self, catalogue: Catalogue, policy: Policy, place: Destination) -> None:
        self._catalogue = catalogue
        self._policy = policy
        self._place = place

    async def decide(self, step: PreparedCall, read: ApiReader) -> Decision:
        """The decision on a call; on one that undoes another, the stricter of what both would get."""
        decision = await self._ruled(step.policy_input(self._place), step, read)
        if step.undo_ref is None:
            return decision
        undone = step.undo_ref.entry
        operation = self._catalogue.find(undone.operation)
        original = PolicyInput(operation, undone.arguments, step.principal, self._place.profile)
        return stricter_decision(decision, await self._ruled(original, step, read))

    async def _ruled(self, case: PolicyInput, step: PreparedCall, read: ApiReader) -> Decision:
        """A read for another call gets no reads of its own: a rule that needs them denies it."""
        needs = self._policy.required_state(case.operation, case.principal, case.profile)
        if needs and not step.probe:
            see = inspect_call if "impact" in needs else inspect_target
            seen = await see(case.operation, case.args, self._place.saas_id, read)
            impact = {**seen.impact.counts, **seen.impact.displayed} if "impact" in needs else None
            case = replace(case, target=seen.snapshot.target, impact=impact)
        return self._policy.decide(case)
