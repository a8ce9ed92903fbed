"""Step 4 of a call: the decision of the policy, with the live state that its rules need."""

from __future__ import annotations

from dataclasses import replace

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.inspection.inspect import inspect_call, inspect_target
from saasus_mcp.permissions.inspection.target import ApiReader
from saasus_mcp.permissions.policy.model import Decision, Policy, PolicyInput, stricter_decision
from saasus_mcp.server.pipeline.prepared_call import PreparedCall


class PolicyEvaluator:
    """Evaluates one policy for calls to one destination."""

    def __init__(self, catalogue: Catalogue, policy: Policy, destination: Destination) -> None:
        self._catalogue = catalogue
        self._policy = policy
        self._destination = destination

    async def decide(self, call: PreparedCall, read: ApiReader) -> Decision:
        """Return the decision on a call. An undo gets the stricter decision on itself and on the call that it undoes."""
        decision = await self._decide(call.policy_input(self._destination), call, read)
        if call.undo_ref is None:
            return decision
        undone = call.undo_ref.entry
        operation = self._catalogue.find(undone.operation)
        original = PolicyInput(operation, undone.arguments, call.principal, self._destination.profile)
        return stricter_decision(decision, await self._decide(original, call, read))

    async def _decide(self, case: PolicyInput, call: PreparedCall, read: ApiReader) -> Decision:
        """Decide on a case. An internal read makes no further reads, so a rule that needs live state denies it."""
        needs = self._policy.required_state(case.operation, case.principal, case.profile)
        if needs and not call.probe:
            inspect = inspect_call if "impact" in needs else inspect_target
            seen = await inspect(case.operation, case.args, self._destination.saas_id, read)
            impact = {**seen.impact.counts, **seen.impact.displayed} if "impact" in needs else None
            case = replace(case, target=seen.snapshot.target, impact=impact)
        return self._policy.decide(case)
