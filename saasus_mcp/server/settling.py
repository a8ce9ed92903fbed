"""Step 5 of a call: from a decision that wants a person's yes to the proof of one."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from saasus_mcp.catalog import Language
from saasus_mcp.permissions.approvals import Approvals
from saasus_mcp.permissions.case import Decision
from saasus_mcp.permissions.confirmation import Confirmations, Outdated, Question, Reply
from saasus_mcp.permissions.preview import question, why_anew
from saasus_mcp.permissions.proof import Binding, Proof
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.permissions.survey import Survey
from saasus_mcp.server.call import Asker, Asking
from saasus_mcp.store import Approval

MOST_ROUNDS = 4
"""How often one call asks while the target keeps changing under the question."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was seen of what a person is asked about, and the preview of it that they read, in each language."""

    survey: Survey
    previews: Mapping[Language, str]


@dataclass(frozen=True, slots=True)
class Matter:
    """What a person is asked about, and how they can be asked.

    Attributes:
        binding: exactly what the yes would be for.
        look: looks at it anew.
        asker: None where the client cannot ask.
        reply: what the client says the person answered, where it does.
        two_person: whether the one who approves must be another than the one who asks.
    """

    decision: Decision
    binding: Binding
    look: Callable[[], Awaitable[Looked]]
    asker: Asker | None
    reply: Reply | None
    two_person: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """A yes to exactly this call, and what was seen when it was found to hold."""

    proof: Proof
    survey: Survey


class Settling:
    """Asks through the client where the decision is to confirm and the client can ask; else out of band."""

    def __init__(
        self,
        confirmations: Confirmations,
        approvals: Approvals,
        *,
        language: Language,
        clock: Callable[[], float],
    ) -> None:
        self._confirmations = confirmations
        self._approvals = approvals
        self._language = language
        self._clock = clock

    async def settle(self, matter: Matter) -> Settled | Asking:
        """The yes to exactly this call, or the question to be answered first.

        Raises:
            Refused: there is no yes, or not yet.
        """
        if matter.decision.outcome == "confirm" and (matter.asker is not None or matter.reply is not None):
            return await self._confirm(matter)
        seen = await matter.look()
        proof, approval = self._approvals.settle(
            matter.binding, seen.survey.sight, seen.previews, self._clock(), two_person=matter.two_person
        )
        if proof is None:
            raise _awaited(approval, self._language)
        return Settled(proof, seen.survey)

    async def _confirm(self, matter: Matter) -> Settled | Asking:
        """Each round looks at the target anew, so that a yes is only ever to what is there now."""
        reply, lead = matter.reply, ""
        for _ in range(MOST_ROUNDS):
            seen = await matter.look()
            sight = seen.survey.sight
            if reply is not None:
                typed = matter.decision.typed
                ruled = self._confirmations.settle(reply, matter.binding, sight, self._clock(), typed=typed)
                if not isinstance(ruled, Outdated):
                    return Settled(ruled, seen.survey)
                lead = why_anew(ruled.bound, sight, self._language)
            if matter.asker is None:
                break
            asked = self._question(matter, seen, lead)
            state = self._confirmations.ask(matter.binding, asked, sight, self._clock())
            answer = await matter.asker.ask(asked)
            if answer is None:
                return Asking(asked, state)
            reply = Reply(answer, state)
        raise Refused("changed", "The target keeps changing while the person is asked.", f"Call again later.\n{lead}")

    def _question(self, matter: Matter, seen: Looked, lead: str) -> Question:
        typed, sight = matter.decision.typed, seen.survey.sight
        message = question(seen.previews[self._language], sight, self._language, typed=typed, lead=lead)
        return Question(message, sight.name if typed else None)


def _awaited(approval: Approval, language: Language) -> Refused:
    """What the model is told while a person has not yet approved, with the preview that the person is shown."""
    who = "Another person than the one who asks" if approval.two_person else "A person"
    return Refused(
        "approval",
        f"{who} must approve this first. Approval code: {approval.code}.",
        f"Ask them to run `saasus-mcp approve {approval.code}` in a terminal of their own (15 minutes); then make the same "
        f"call again with the same arguments, once. You cannot approve it.\n{json.loads(approval.preview)[language]}",
    )
