"""Step 4 of a call: the policy's decision, with the live state that its rules on such a call speak of."""

from __future__ import annotations

from dataclasses import replace

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.case import Case, CasePolicy, Decision, stricter
from saasus_mcp.permissions.proof import Place
from saasus_mcp.permissions.survey import glance, survey
from saasus_mcp.permissions.target import Read
from saasus_mcp.server.step import Step


class Deciding:
    """Decides by one policy, in one place."""

    def __init__(self, catalogue: Catalogue, policy: CasePolicy, place: Place) -> None:
        self._catalogue = catalogue
        self._policy = policy
        self._place = place

    async def decide(self, step: Step, read: Read) -> Decision:
        """The decision on a call; on one that undoes another, the stricter of what both would get."""
        decision = await self._ruled(step.case(self._place), step, read)
        if step.undoes is None:
            return decision
        undone = step.undoes.entry
        operation = self._catalogue.find(undone.operation)
        original = Case(operation, undone.arguments, step.principal, self._place.profile)
        return stricter(decision, await self._ruled(original, step, read))

    async def _ruled(self, case: Case, step: Step, read: Read) -> Decision:
        """A read for another call gets no reads of its own: a rule that needs them denies it."""
        needs = self._policy.needs(case.operation, case.principal, case.profile)
        if needs and not step.probe:
            see = survey if "impact" in needs else glance
            seen = await see(case.operation, case.args, self._place.saas_id, read)
            impact = {**seen.impact.counts, **seen.impact.shown} if "impact" in needs else None
            case = replace(case, target=seen.sight.target, impact=impact)
        return self._policy.decide(case)
