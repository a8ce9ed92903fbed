"""Step 5 of a call: the consent of a person, in the client or outside it."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import anyio

from saasus_mcp.common.language import LANGUAGES, Text
from saasus_mcp.common.messages import Lines, Message, message
from saasus_mcp.common.timezones import format_clock
from saasus_mcp.permissions.approval.approvals import ApprovalService
from saasus_mcp.permissions.approval.awaited import AwaitedApproval
from saasus_mcp.permissions.approval.confirmation import (
    ConfirmationPrompt,
    ConfirmationReply,
    ConfirmationService,
    StaleAnswer,
    UnattendedAnswer,
)
from saasus_mcp.permissions.approval.proof import Binding
from saasus_mcp.permissions.inspection.inspect import CallInspection
from saasus_mcp.permissions.policy.model import Decision
from saasus_mcp.permissions.policy.wrappers import require_not_denied
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.question.deceptive_text import warn_of_deceptive_text
from saasus_mcp.permissions.question.dialog import render_dialog, render_for_model
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.question.layout import hidden_labels
from saasus_mcp.permissions.question.stored_question import added_lines, explain_stale_question
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.server.pipeline.call import Call, PendingElicitation, UrlPrompt
from saasus_mcp.server.pipeline.context import PipelineContext
from saasus_mcp.server.pipeline.prepared_call import Authorized
from saasus_mcp.settings.addresses import is_loopback
from saasus_mcp.store.records import Approval

MAX_SHOWN_PAGES = 1_000
"""Approvals whose page was opened and is not opened again."""


@dataclass(frozen=True, slots=True)
class QuestionDraft:
    """A question, and the inspection it was made from."""

    inspection: CallInspection
    question: Question


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRequest:
    """A call or job that needs the consent of a person.

    Attributes:
        binding: what the consent is bound to.
        client_call: how the client can ask, and what the person has answered so far.
        two_person: whether the approver must be a person other than the requester.
        covered: the calls of a list, to which a rejection of the list applies, too.
        may_cut: whether the text to type is enough for a question of which the dialog does not show all.
    """

    name: str
    decision: Decision
    binding: Binding
    client_call: Call
    two_person: bool
    covered: Collection[Binding] = ()
    may_cut: bool = True

    def shows_too_little(self, question: Question) -> bool:
        """Return whether a dialog hides so much of the question that a person must see all of it elsewhere."""
        is_typed = self.decision.typed and self.may_cut
        return self.decision.outcome == "confirm" and not is_typed and bool(hidden_labels(question))


@dataclass(frozen=True, slots=True)
class ConsentChannel:
    """Where a person is asked: in the client, or outside it.

    Attributes:
        unattended: the client's own answer, which refuses the call even if an approval exists.
    """

    in_client: bool = False
    unattended: UnattendedAnswer | None = None


@dataclass(frozen=True, slots=True)
class ApprovalGate:
    """Obtains consent: in the client if the decision is to confirm and the client can ask, else outside the client."""

    context: PipelineContext
    _opened: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_SHOWN_PAGES), init=False)

    @property
    def confirmations(self) -> ConfirmationService:
        """The questions in the client."""
        return ConfirmationService(self.context.encryptor)

    @property
    def approvals(self) -> ApprovalService:
        """The approvals outside the client. They open the store."""
        return ApprovalService(self.context.store, self.context.reader)

    def require_not_declined(self, reply: ConfirmationReply) -> None:
        """Check that the person has not answered no.

        Raises:
            UnattendedAnswer: a no that cannot be attributed to a person.
            CallRefused: a person's no.
        """
        self.confirmations.require_not_declined(reply, self.context.clock())

    async def require_none_rejected(self, binding: Binding, covered: Collection[Binding]) -> None:
        """Check that no call that a list covers was rejected a short while ago. See `ApprovalService`.

        Raises:
            CallRefused: one was.
        """
        await self.context.store_executor(
            lambda: self.approvals.require_none_rejected(binding, covered, self.context.clock())
        )

    async def choose_channel(self, request: ConsentRequest) -> ConsentChannel:
        """Return where the person is asked, before anything is read for the question: one that was just rejected costs no reads.

        Raises:
            CallRefused: the person refused, or the client would ask what was rejected.
        """
        try:
            return ConsentChannel(in_client=await self._asks_in_client(request))
        except UnattendedAnswer as answer:
            return ConsentChannel(unattended=answer)

    async def obtain_consent(
        self, request: ConsentRequest, channel: ConsentChannel, draft: QuestionDraft
    ) -> Authorized | PendingElicitation | ConfirmationReply:
        """Return the permission, a question for the person, or the person's answer.

        An answer must be brought back with a new draft, because the target was read before the person was asked.

        Args:
            channel: of `choose_channel`.

        Raises:
            CallRefused: the policy denies the call, the person refused, or the consent is not given yet.
        """
        require_not_denied(request.name, request.decision)
        draft, unattended = replace(draft, question=warn_of_deceptive_text(draft.question)), channel.unattended
        if channel.in_client:
            try:
                confirmed = await self._confirm(request, draft)
            except UnattendedAnswer as answer:
                unattended = answer
            else:
                if confirmed is not None:
                    return confirmed
        return await self._approve(request, draft, unattended)

    async def _asks_in_client(self, request: ConsentRequest) -> bool:
        """Return whether the client asks the person, who is not asked again if they approved the call.

        Raises:
            UnattendedAnswer: the client's own answer.
            CallRefused: the person declined, or the client would ask what was rejected.
        """
        client_call, binding, now = request.client_call, request.binding, self.context.clock()
        if client_call.reply is not None:
            self.require_not_declined(client_call.reply)
        if request.decision.outcome != "confirm" or (client_call.elicitor is None and client_call.reply is None):
            return False
        run = self.context.store_executor
        if client_call.reply is None and await run(lambda: self.approvals.is_approved(binding, now)):
            return False
        await run(lambda: self.approvals.require_not_rejected(binding, now))
        return True

    async def _confirm(
        self, request: ConsentRequest, draft: QuestionDraft
    ) -> Authorized | PendingElicitation | ConfirmationReply | None:
        """Check the person's answer against the current target, and ask again if the target has changed.

        Returns None if a dialog cannot show all of the question.
        """
        client_call, binding, typed = request.client_call, request.binding, request.decision.typed
        snapshot, changes = draft.inspection.snapshot, tuple[Text, ...]()
        if client_call.reply is not None:
            proof = self.confirmations.verify_reply(
                client_call.reply, binding, snapshot, self.context.clock(), typed=typed
            )
            if not isinstance(proof, StaleAnswer):
                return Authorized(request.decision, proof, draft.inspection)
            changes = explain_stale_question(proof.snapshot, snapshot)
        text_to_type = (draft.question.typed or Text(snapshot.name, snapshot.name)) if typed else None
        question = replace(draft.question, lead=changes, typed=text_to_type)
        if request.shows_too_little(question):
            return None
        if client_call.elicitor is None:
            hint = message("server.target_keeps_changing_hint", changes=Lines(changes))
            raise CallRefused(Reason.CHANGED, message("server.target_keeps_changing"), hint)
        name = question.typed.text(self.context.language) if question.typed is not None else None
        prompt = ConfirmationPrompt(render_dialog(question, self.context.reader), name, question)
        state = self.confirmations.seal_question(binding, prompt, snapshot, self.context.clock())
        asked_at = anyio.current_time()
        answer = await client_call.elicitor.ask(prompt)
        if answer is None:
            return PendingElicitation(prompt, state)
        return ConfirmationReply(answer, state, anyio.current_time() - asked_at)

    async def _approve(
        self, request: ConsentRequest, draft: QuestionDraft, unattended: UnattendedAnswer | None
    ) -> Authorized | PendingElicitation:
        """Return the permission if a person has approved the call outside the client; else request an approval."""
        binding, snapshot, two_person = request.binding, draft.inspection.snapshot, request.two_person
        proof, approval = await self.context.store_executor(
            lambda: self.approvals.obtain_proof(
                binding, snapshot, draft.question, self.context.clock(), two_person=two_person, covered=request.covered
            )
        )
        approved = Question.from_json(approval.preview)
        before, after = _comparable(approved), _comparable(draft.question)
        if unattended is not None:
            raise self._unattended_refusal(unattended, self._awaited(approval, after))
        if proof is not None:
            text_before, text_after = (
                render_for_model(before, self.context.reader),
                render_for_model(after, self.context.reader),
            )
            return Authorized(request.decision, proof, draft.inspection, added_lines(text_before, text_after))
        # The question of an earlier request may show fields that this caller may no longer read.
        shown = replace(approved, reason="") if before == after else after
        return await self._await_approval(request, self._awaited(approval, shown), draft)

    async def _await_approval(
        self, request: ConsentRequest, awaited: AwaitedApproval, draft: QuestionDraft
    ) -> PendingElicitation:
        """Open the console's page of the approval once, if a console runs and the client can open pages.

        Args:
            draft: the question as it was made, of which a dialog may not show all.

        Raises:
            CallRefused: the approval is not given yet.
        """
        approval, elicitor = awaited.approval, request.client_call.url_elicitor
        code = approval.code
        opened = request.client_call.url_answers.get(code)
        # If another person must approve, the page is of no use to this one.
        is_new = opened is None and code not in self._opened and not approval.two_person
        if awaited.url and elicitor is not None and is_new:
            text = message("server.approval_page", code=code).text(self.context.language)
            prompt = UrlPrompt(code, awaited.url, text)
            opened = await elicitor.open_url(prompt)
            self._opened.append(code)
            if opened is None:
                return PendingElicitation(ConfirmationPrompt(text, None), url_prompt=prompt)
        too_long = request.shows_too_little(draft.question)
        raise self._pending_refusal(awaited, opened=bool(opened), too_long=too_long)

    def _awaited(self, approval: Approval, shown: Question) -> AwaitedApproval:
        """Return the approval with the question as this caller may read it, for an app."""
        base = self.context.console_url()
        en, ja = (render_for_model(shown, Reader.of(language, self.context.zone)) for language in LANGUAGES)
        url = f"{base}/approvals/{approval.code}" if base else ""
        in_terminal = not base or is_loopback(urlsplit(base).hostname or "")
        return AwaitedApproval(approval, Text(en, ja), url, in_terminal)

    def _unattended_refusal(self, answer: UnattendedAnswer, awaited: AwaitedApproval) -> CallRefused:
        return CallRefused(
            answer.reason,
            message("server.client_declined", cause=answer.message, code=awaited.approval.code),
            message("server.client_declined_hint", **self._how_to_decide(awaited)),
            awaited=awaited,
        )

    def _pending_refusal(self, awaited: AwaitedApproval, *, opened: bool, too_long: bool) -> CallRefused:
        approval = awaited.approval
        needed = message(
            "server.approval_needed_two_person" if approval.two_person else "server.approval_needed", code=approval.code
        )
        if too_long:
            needed = message("server.approval_needed_long", needed=needed)
        return CallRefused(
            Reason.APPROVAL,
            needed,
            message("server.approval_page_hint" if opened else "server.approval_hint", **self._how_to_decide(awaited)),
            awaited=awaited,
        )

    def _how_to_decide(self, awaited: AwaitedApproval) -> dict[str, Message | str]:
        """Return what a model asks people to do, and until when: a repeated call finds an approval that is minutes old."""
        return {
            "decide": _where_to_decide(awaited),
            "until": format_clock(awaited.approval.expires_at, self.context.reader.zone),
            "preview": awaited.question.text(self.context.language),
        }


def _where_to_decide(awaited: AwaitedApproval) -> Message:
    """Return what to ask the approver to do: a hosted server's approvers have a console and no terminal with its store."""
    code, url = awaited.approval.code, awaited.url
    if not url:
        return message("server.decide_in_terminal", code=code)
    if awaited.in_terminal:
        return message("server.decide_anywhere", code=code, url=url)
    return message("server.decide_on_console", url=url)


def _comparable(question: Question) -> Question:
    """Return the question without the parts that differ between two questions about the same call."""
    return replace(question, reason="", lead=(), typed=None, requester_name="")
