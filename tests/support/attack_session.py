"""One attack on a session, and the count of real consents, by which its sends are judged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from mcp import types

from saasus_mcp.catalog import Operation
from saasus_mcp.permissions.approval.approvals import ApprovalService
from saasus_mcp.store.records import Approval
from tests.support.attack_cases import REQUIRED_PROOF, Attack, Ending
from tests.support.gate import APPROVAL_CODE, GateSession, Reply, reply_text


@dataclass
class AttackSession:
    """One attack on a session.

    Attributes:
        confirmed, approved: how many consents people gave to this call, in the client and outside it.
    """

    attack: Attack
    stage: GateSession
    operation: Operation
    confirmed: int = 0
    approved: int = 0
    replies: list[Reply] = field(default_factory=list)

    @property
    def sent(self) -> int:
        return len(self.stage.api.to(self.operation))

    def unauthorised(self) -> int:
        """Return the number of sends without the consent that the policy demands, by what the API received and what people answered."""
        writes = len(self.stage.api.writes)
        demanded = REQUIRED_PROOF[self.attack.policy][self.attack.level]
        allowed = {
            "allow": writes,
            "confirm": self.confirmed + self.approved,
            "approve": self.approved,
            "deny": 0,
        }[demanded]
        return max(0, writes - allowed)

    def ending(self) -> Ending:
        """Return how the attack ended for the client."""
        if self.sent:
            return "sent"
        last = self.replies[-1]
        if isinstance(last, types.InputRequiredResult) or APPROVAL_CODE.search(reply_text(last)):
            return "asked"
        return "refused"

    async def call(self, arguments: dict[str, Any] | None = None) -> None:
        self.replies.append(await self.stage.call(self.operation, arguments))

    async def round(self, **given: Any) -> None:
        self.stage.clock.now += 10  # an answer as late as a person's
        self.replies.append(await self.stage.call_round(self.operation, **given))

    async def ask(self) -> tuple[types.ElicitResult, str]:
        """Ask for a call. Return a consent that no person has given, and the state."""
        name, state = await self.stage.request_question(self.operation)
        return types.ElicitResult(action="accept", content={"name": name, "confirm": True}), state

    def pending(self) -> Approval:
        return self.stage.pending(self.replies[-1])

    def approve(self, by: str) -> None:
        """Approve the call as a person outside the client."""
        approval = self.pending()
        ApprovalService(self.stage.store).approve(approval, approval.name, by, self.stage.clock())
        self.approved += 1


Script = Callable[[AttackSession], Awaitable[None]]
