"""Step 5 of a call: from a decision that wants a person's yes to the proof of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from saasus_mcp.catalog import Language, Operation
from saasus_mcp.permissions.approvals import Approvals
from saasus_mcp.permissions.confirmation import Confirmations, Question, Reply
from saasus_mcp.permissions.policy import Decision
from saasus_mcp.permissions.preview import previews, question
from saasus_mcp.permissions.proof import Binding, Place, Proof
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.permissions.target import Read, Sight, look
from saasus_mcp.server.call import Asking, Call
from saasus_mcp.store import Approval

MOST_ROUNDS = 4
"""How often one call asks while the target keeps changing under the question."""


class Settling:
    """Asks through the client where the decision is to confirm and the client can ask; else out of band."""

    def __init__(
        self,
        confirmations: Confirmations,
        approvals: Approvals,
        place: Place,
        language: Language,
        clock: Callable[[], float],
    ) -> None:
        self._confirmations = confirmations
        self._approvals = approvals
        self._place = place
        self._language = language
        self._clock = clock

    async def settle(
        self,
        operation: Operation,
        args: Mapping[str, Any],
        decision: Decision,
        binding: Binding,
        call: Call,
        read: Read,
    ) -> Proof | Asking:
        """The proof of a yes to exactly this call, or the question to be answered first.

        Raises:
            Refused: there is no yes, or not yet.
        """
        if decision.outcome == "confirm" and (call.asker is not None or call.reply is not None):
            return await self._confirm(operation, args, decision, binding, call, read)
        sight = await look(operation, args, self._place.saas_id, read)
        shown = previews(operation, args, sight, self._place)
        proof, approval = self._approvals.settle(binding, operation, sight, shown, self._clock())
        if proof is None:
            raise _awaited(approval, shown[self._language])
        return proof

    async def _confirm(
        self,
        operation: Operation,
        args: Mapping[str, Any],
        decision: Decision,
        binding: Binding,
        call: Call,
        read: Read,
    ) -> Proof | Asking:
        """Each round looks at the target anew, so that a yes is only ever to what is there now."""
        reply, changed = call.reply, False
        for _ in range(MOST_ROUNDS):
            sight = await look(operation, args, self._place.saas_id, read)
            if reply is not None:
                proof = self._confirmations.settle(reply, binding, sight, self._clock())
                if proof is not None:
                    return proof
                changed = True
            if call.asker is None:
                break
            asked = self._question(operation, args, decision, sight, changed=changed)
            state = self._confirmations.ask(binding, asked, sight, self._clock())
            answer = await call.asker.ask(asked)
            if answer is None:
                return Asking(asked, state)
            reply = Reply(answer, state)
        raise Refused("changed", "The target keeps changing while the person is asked.", "Call again later.")

    def _question(
        self, operation: Operation, args: Mapping[str, Any], decision: Decision, sight: Sight, *, changed: bool
    ) -> Question:
        shown = previews(operation, args, sight, self._place)[self._language]
        message = question(shown, sight, self._language, typed=decision.typed, changed=changed)
        return Question(message, sight.name if decision.typed else None)


def _awaited(approval: Approval, shown: str) -> Refused:
    """What the model is told while a person has not yet approved."""
    return Refused(
        "approval",
        f"A person must approve this first. Approval code: {approval.code}.",
        f"Ask the person to run `saasus-mcp approve {approval.code}` in a terminal of their own (15 minutes); then make "
        f"the same call again with the same arguments, once. You cannot approve it.\n{shown}",
    )
