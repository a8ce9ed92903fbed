"""A call of a list, reviewed."""

from __future__ import annotations

from dataclasses import dataclass

from saasus_mcp.jobs.plan import PlanStep
from saasus_mcp.permissions.inspection.target import NAME_ARGUMENTS, ReadFailure
from saasus_mcp.server.pipeline.job_steps import CallReview

GIVEN_IDS = {
    "auth.CreateRole": ("role", "role_name"),
    "auth.CreateEnv": ("env", "id"),
    "pricing.CreateMeteringUnit": ("meter", "unit_name"),
}
"""By operation, the kind of item that it creates, and the argument with the id that the caller chooses."""


@dataclass(frozen=True, slots=True)
class ListedCall:
    """A call of a list with its row, the step that makes it, and its review."""

    row: int
    step: PlanStep
    review: CallReview

    @property
    def target(self) -> str:
        """The name of its target. Empty if an earlier call creates it."""
        name = self.review.inspection.snapshot.name
        unknown = any(text in name for text in self.step.placeholders().values())
        return "" if unknown or self.target_argument in self.step.from_steps else name

    @property
    def created(self) -> str:
        """The name of the item that it creates, which is in its target if it has one. Empty if nothing names it."""
        target = self.review.operation.effects.target
        if target is None or target.read is None:
            return self.target
        addressing = self.review.operation.addressing
        names = [name for name in NAME_ARGUMENTS if name not in addressing and self.review.arguments.get(name)]
        return "" if not names or names[0] in self.step.from_steps else str(self.review.arguments[names[0]])

    @property
    def new_item(self) -> tuple[str, str] | None:
        """Kind and id of the item that it creates, if its arguments have the id, as that of a role."""
        kind, argument = GIVEN_IDS.get(self.review.operation.key, ("", ""))
        id_ = self.review.arguments.get(argument)
        return None if id_ is None else (kind, str(id_))

    @property
    def is_of_new_item(self) -> bool:
        """Whether its target could not be read because an earlier call creates it."""
        snapshot = self.review.inspection.snapshot
        return snapshot.missing or snapshot.read_error == ReadFailure.TARGET_UNREAD

    @property
    def target_argument(self) -> str:
        """The argument with the id of its target. Empty if no argument has it."""
        target = self.review.operation.effects.target
        return "" if target is None or target.read is None else next(iter(target.identifying[-1:]), "")

    @property
    def needs_approval(self) -> bool:
        """Whether the call is critical, and the policy does not allow it without a person."""
        return self.review.operation.level == "critical" and self.review.decision.outcome != "allow"
