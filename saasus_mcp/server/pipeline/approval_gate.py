"""Step 5 of a call: from a decision that wants a person's yes to the proof of one."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from functools import partial

from saasus_mcp.common.language import Language, Text
from saasus_mcp.permissions.approval.approvals import ApprovalService
from saasus_mcp.permissions.approval.confirmation import (
    ConfirmationPrompt,
    ConfirmationReply,
    ConfirmationService,
    StaleAnswer,
    UnattendedAnswer,
)
from saasus_mcp.permissions.approval.proof import Binding, Proof
from saasus_mcp.permissions.inspection.inspect import CallInspection
from saasus_mcp.permissions.policy.model import Decision
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.question.dialog import render_dialog, render_for_model
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.question.layout import fit_dialog
from saasus_mcp.permissions.question.staleness import added_lines, explain_stale_question
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.permissions.wording import VISIT as VISIT_WORDS
from saasus_mcp.server.pipeline.call import Elicitor, PendingElicitation, UrlElicitor, UrlPrompt
from saasus_mcp.server.scheduling.store_executor import StoreExecutor, run_inline
from saasus_mcp.store import Approval

MAX_ROUNDS = 4
"""How often one call asks while the target keeps changing under the question."""
NO_LEAD: tuple[Text, ...] = ()
MAX_SHOWN_PAGES = 1_000
"""Approvals of which it is remembered that their page was shown, so that asking again does not open it again."""


@dataclass(frozen=True, slots=True)
class QuestionDraft:
    """What was seen of what a person is asked about, and the question made of it."""

    inspection: CallInspection
    question: Question


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What a person is asked about, and how they can be asked.

    Attributes:
        binding: exactly what the yes would be for.
        look: looks at it anew.
        asker: None where the client cannot ask.
        reply: what the client says the person answered, where it does.
        two_person: whether the one who approves must be another than the one who asks.
        usher: None where the client cannot open a page.
        visited: what became of the visits that the call answers.
    """

    decision: Decision
    binding: Binding
    draft_question: Callable[[], Awaitable[QuestionDraft]]
    elicitor: Elicitor | None
    reply: ConfirmationReply | None
    two_person: bool = False
    url_elicitor: UrlElicitor | None = None
    url_answers: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Authorized:
    """A yes to exactly this call, and what was seen when it was found to hold.

    Attributes:
        since: what has changed in the preview since it was approved, though nothing of it is bound; a line each.
    """

    proof: Proof
    inspection: CallInspection
    changes: tuple[str, ...] = ()


class ApprovalGate:
    """Asks through the client where the decision is to confirm and the client can ask; else out of band."""

    def __init__(
        self,
        confirmations: ConfirmationService,
        approvals: ApprovalService,
        *,
        language: Language,
        zone: tzinfo | None = None,
        clock: Callable[[], float],
        store_executor: StoreExecutor = run_inline,
        console_url: Callable[[], str] = str,
    ) -> None:
        self._confirmations = confirmations
        self._approvals = approvals
        self._language = language
        self._reader = Reader.of(language, zone)
        self._clock = clock
        self._aside = store_executor
        self._console = console_url
        self._shown: deque[str] = deque(maxlen=MAX_SHOWN_PAGES)

    async def authorize(self, matter: AuthorizationRequest) -> Authorized | PendingElicitation | ConfirmationReply:
        """The yes to exactly this call; or the question to be answered first; or what was answered to it at once, which
        is to be brought here again when all is looked at and decided on anew.

        Raises:
            Refused: there is no yes, or not yet.
        """
        try:
            if matter.reply is not None:
                self.require_not_declined(matter.reply)
            if await self._asks(matter):
                return await self._confirm(matter)
        except UnattendedAnswer as no:
            return await self._approved(matter, no)
        return await self._approved(matter)

    def require_not_declined(self, reply: ConfirmationReply) -> None:
        """Take a no for a no.

        Raises:
            Refused: the reply is one.
        """
        self._confirmations.require_not_declined(reply, self._clock())

    async def _asks(self, matter: AuthorizationRequest) -> bool:
        """Whether the person is asked through the client. Who has approved the call already is not asked again."""
        if matter.decision.outcome != "confirm" or (matter.elicitor is None and matter.reply is None):
            return False
        now = self._clock()
        return matter.reply is not None or not await self._aside(
            lambda: self._approvals.is_approved(matter.binding, now)
        )

    async def _approved(
        self, matter: AuthorizationRequest, no: UnattendedAnswer | None = None
    ) -> Authorized | PendingElicitation:
        """The yes of a person who approved the call outside the client.

        Args:
            no: the client's answer that led here. Nothing is sent on it, even where the call has been approved meanwhile.

        Raises:
            Refused: there is no yes, or not yet.
        """
        seen = await matter.draft_question()
        settle = partial(self._approvals.obtain_proof, two_person=matter.two_person)
        proof, approval = await self._aside(
            lambda: settle(matter.binding, seen.inspection.snapshot, seen.question, self._clock())
        )
        kept, asked = (_comparable(each) for each in (Question.from_json(approval.preview), seen.question))
        then, now = render_for_model(kept, self._reader), render_for_model(asked, self._reader)
        if no is not None:
            raise _not_a_person(no, approval, now)
        if proof is None:
            # What the preview of an earlier request shows, the caller may no longer be allowed to read.
            return await self._await(
                matter, approval, self._told(approval) if kept == asked else now, hides=bool(seen.question.hidden)
            )
        return Authorized(proof, seen.inspection, added_lines(then, now))

    def _told(self, approval: Approval) -> str:
        """What the person is shown, with why they are asked again."""
        return render_for_model(fit_dialog(replace(Question.from_json(approval.preview), reason="")), self._reader)

    async def _await(
        self, matter: AuthorizationRequest, approval: Approval, preview: str, *, hides: bool
    ) -> PendingElicitation:
        """Send the person to the console's page of the approval, once, where one runs and the client can open it.

        Args:
            preview: for the model.
            hides: whether the question leaves something out.

        Raises:
            Refused: the approval is yet to be given; in what way, it says.
        """
        code, shown = approval.code, matter.url_answers.get(approval.code)
        # Where it takes another person than this one, the page would be of no use to them.
        unseen = shown is None and code not in self._shown and not approval.two_person
        base = self._console() if matter.url_elicitor is not None and unseen else ""
        if base and matter.url_elicitor is not None:
            visit = UrlPrompt(code, f"{base}/approvals/{code}", VISIT_WORDS[self._language].format(code=code))
            shown = await matter.url_elicitor.open_url(visit)
            self._shown.append(code)
            if shown is None:
                return PendingElicitation(ConfirmationPrompt(visit.message, None), url_prompt=visit)
        unshown = matter.decision.outcome == "confirm" and not matter.decision.typed and hides
        raise _awaited(approval, preview, shown=bool(shown), unshown=unshown)

    async def _confirm(self, matter: AuthorizationRequest) -> Authorized | PendingElicitation | ConfirmationReply:
        """One round: the answer judged by what is there now, and a new question where it is an answer to what is no more."""
        now = self._clock()
        await self._aside(lambda: self._approvals.require_not_rejected(matter.binding, now))
        seen, lead = await matter.draft_question(), NO_LEAD
        sight = seen.inspection.snapshot
        if matter.reply is not None:
            typed = matter.decision.typed
            ruled = self._confirmations.verify_reply(matter.reply, matter.binding, sight, self._clock(), typed=typed)
            if not isinstance(ruled, StaleAnswer):
                return Authorized(ruled, seen.inspection)
            lead = explain_stale_question(ruled.snapshot, sight)
        question = _asked(matter, seen, lead)
        if question.hidden and question.typed is None:
            return await self._approved(matter)
        if matter.elicitor is None:
            raise CallRefused(
                Reason.CHANGED,
                "The target keeps changing while the person is asked.",
                "\n".join(["Call again later.", *(line.en for line in lead)]),
            )
        name = question.typed.text(self._language) if question.typed is not None else None
        asked = ConfirmationPrompt(render_dialog(question, self._reader), name, question)
        state = self._confirmations.seal_question(matter.binding, asked, sight, self._clock())
        answer = await matter.elicitor.ask(asked)
        return PendingElicitation(asked, state) if answer is None else ConfirmationReply(answer, state)


def _asked(matter: AuthorizationRequest, seen: QuestionDraft, lead: tuple[Text, ...]) -> Question:
    """The question with why it is asked again, which may take the room of something else."""
    name = seen.inspection.snapshot.name
    typed = (seen.question.typed or Text(name, name)) if matter.decision.typed else None
    return fit_dialog(replace(seen.question, lead=lead, typed=typed))


def _comparable(question: Question) -> Question:
    """The question without what differs between two askings of the same call."""
    return fit_dialog(replace(question, reason="", lead=(), typed=None))


def _not_a_person(no: UnattendedAnswer, approval: Approval, preview: str) -> CallRefused:
    """What the model is told where the client said no by itself, as far as can be known."""
    return CallRefused(
        no.reason,
        f"{no.message} It is not known whether a person saw the question, so the call waits for an approval outside the "
        f"client. Approval code: {approval.code}.",
        f"If a person did refuse, stop here. Otherwise ask them to run `saasus-mcp approve {approval.code}` in a terminal of "
        f"their own (15 minutes); then make the same call again with the same arguments, once. You cannot approve it.\n{preview}",
    )


def _awaited(approval: Approval, preview: str, *, shown: bool, unshown: bool) -> CallRefused:
    """What the model is told while a person has not yet approved, with what it may see of the preview."""
    who = "Another person than the one who asks" if approval.two_person else "A person"
    why = " A dialog does not show all of it." if unshown else ""
    how = "The approval page was opened for the person. They decide there, or with" if shown else "Ask them to run"
    return CallRefused(
        Reason.APPROVAL,
        f"{who} must approve this first.{why} Approval code: {approval.code}.",
        f"{how} `saasus-mcp approve {approval.code}` in a terminal of their own (15 minutes); then make the same "
        f"call again with the same arguments, once. You cannot approve it.\n{preview}",
    )
