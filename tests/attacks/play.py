"""One attack on the stage, and the count of the yeses that people really gave, by which its sends are judged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from mcp import types

from saasus_mcp.catalog import Operation
from saasus_mcp.permissions.approvals import Approvals
from saasus_mcp.store import Approval
from tests.attacks.cases import DEMANDED, Attack, End
from tests.pipeline.attacks import CODE, Reply, Scene, text


@dataclass
class Play:
    """One attack on the stage.

    Attributes:
        confirmed, approved: how many yeses people gave for this call, in the client and outside it.
    """

    attack: Attack
    stage: Scene
    operation: Operation
    confirmed: int = 0
    approved: int = 0
    ends: list[Reply] = field(default_factory=list)

    @property
    def sent(self) -> int:
        return len(self.stage.api.to(self.operation))

    def unauthorised(self) -> int:
        """Sends beyond the yeses that the policy demands: judged by what the API saw and what people said."""
        writes = len(self.stage.api.writes)
        demanded = DEMANDED[self.attack.policy][self.attack.level]
        allowed = {
            "allow": writes,
            "confirm": self.confirmed + self.approved,
            "approve": self.approved,
            "deny": 0,
        }[demanded]
        return max(0, writes - allowed)

    def end(self) -> End:
        """How it ended for the client."""
        if self.sent:
            return "sent"
        last = self.ends[-1]
        if isinstance(last, types.InputRequiredResult) or CODE.search(text(last)):
            return "asked"
        return "refused"

    async def call(self, arguments: dict[str, Any] | None = None) -> None:
        self.ends.append(await self.stage.call(self.operation, arguments))

    async def round(self, **given: Any) -> None:
        self.stage.clock.now += 10  # an answer as late as a person's
        self.ends.append(await self.stage.round(self.operation, **given))

    async def ask(self) -> tuple[types.ElicitResult, str]:
        """Ask properly, and be ready with a yes that nobody has given."""
        name, state = await self.stage.asked(self.operation)
        return types.ElicitResult(action="accept", content={"name": name, "confirm": True}), state

    def pending(self) -> Approval:
        return self.stage.pending(self.ends[-1])

    def approve(self, by: str) -> None:
        """A person approves, who is not the client."""
        approval = self.pending()
        Approvals(self.stage.store).approve(approval, approval.name, by, self.stage.clock())
        self.approved += 1


Script = Callable[[Play], Awaitable[None]]
