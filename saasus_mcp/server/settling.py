"""Step 5 of a call: from a decision that wants a person's yes to the proof of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from saasus_mcp.catalog import Language, Operation
from saasus_mcp.permissions.approvals import Approvals
from saasus_mcp.permissions.confirmation import Confirmations, Question, Reply
from saasus_mcp.permissions.policy import Decision
from saasus_mcp.permissions.preview import previews, question
from saasus_mcp.permissions.proof import Binding, Place, Proof
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.permissions.target import Read, Sight, look
from saasus_mcp.server.call import Asker, Asking
from saasus_mcp.store import Approval

MOST_ROUNDS = 4
"""How often one call asks while the target keeps changing under the question."""


@dataclass(frozen=True, slots=True)
class Matter:
    """What a person is asked about, and how they can be asked.

    Attributes:
        binding: exactly what the yes would be for.
        asker: None where the client cannot ask.
        reply: what the client says the person answered, where it does.
        read: reads the API for the preview.
    """

    operation: Operation
    args: Mapping[str, Any]
    decision: Decision
    binding: Binding
    asker: Asker | None
    reply: Reply | None
    read: Read


class Settling:
    """Asks through the client where the decision is to confirm and the client can ask; else out of band."""

    def __init__(
        self,
        confirmations: Confirmations,
        approvals: Approvals,
        place: Place,
        *,
        language: Language,
        clock: Callable[[], float],
    ) -> None:
        self._confirmations = confirmations
        self._approvals = approvals
        self._place = place
        self._language = language
        self._clock = clock

    async def settle(self, matter: Matter) -> Proof | Asking:
        """The proof of a yes to exactly this call, or the question to be answered first.

        Raises:
            Refused: there is no yes, or not yet.
        """
        if matter.decision.outcome == "confirm" and (matter.asker is not None or matter.reply is not None):
            return await self._confirm(matter)
        sight = await self._look(matter)
        shown = previews(matter.operation, matter.args, sight, self._place)
        proof, approval = self._approvals.settle(matter.binding, matter.operation, sight, shown, self._clock())
        if proof is None:
            raise _awaited(approval, shown[self._language])
        return proof

    async def _confirm(self, matter: Matter) -> Proof | Asking:
        """Each round looks at the target anew, so that a yes is only ever to what is there now."""
        reply, changed = matter.reply, False
        for _ in range(MOST_ROUNDS):
            sight = await self._look(matter)
            if reply is not None:
                proof = self._confirmations.settle(reply, matter.binding, sight, self._clock())
                if proof is not None:
                    return proof
                changed = True
            if matter.asker is None:
                break
            asked = self._question(matter, sight, changed=changed)
            state = self._confirmations.ask(matter.binding, asked, sight, self._clock())
            answer = await matter.asker.ask(asked)
            if answer is None:
                return Asking(asked, state)
            reply = Reply(answer, state)
        raise Refused("changed", "The target keeps changing while the person is asked.", "Call again later.")

    async def _look(self, matter: Matter) -> Sight:
        return await look(matter.operation, matter.args, self._place.saas_id, matter.read)

    def _question(self, matter: Matter, sight: Sight, *, changed: bool) -> Question:
        shown = previews(matter.operation, matter.args, sight, self._place)[self._language]
        typed = matter.decision.typed
        message = question(shown, sight, self._language, typed=typed, changed=changed)
        return Question(message, sight.name if typed else None)


def _awaited(approval: Approval, shown: str) -> Refused:
    """What the model is told while a person has not yet approved."""
    return Refused(
        "approval",
        f"A person must approve this first. Approval code: {approval.code}.",
        f"Ask the person to run `saasus-mcp approve {approval.code}` in a terminal of their own (15 minutes); then make "
        f"the same call again with the same arguments, once. You cannot approve it.\n{shown}",
    )
