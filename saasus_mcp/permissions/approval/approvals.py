"""Approvals: a person's consent outside the client, requested by a short code and given in a terminal or on the console.

An approval defends against the model and the client. Its code carries no authority.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from saasus_mcp.common.language import LANGUAGES, Text
from saasus_mcp.common.messages import Lines, Message, message, one_of
from saasus_mcp.common.person import NOBODY, Person
from saasus_mcp.common.text import Quoted, quote_text
from saasus_mcp.permissions.approval.action_records import ActionKind, ActionRecord, DecidedVia, approval_action
from saasus_mcp.permissions.approval.proof import Binding, Proof, json_digest
from saasus_mcp.permissions.inspection.target import TargetSnapshot, names_match
from saasus_mcp.permissions.question import stored_question
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.question.formatting import Reader, format_sentence
from saasus_mcp.permissions.question.stored_question import explain_stale_approval
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.store.records import Approval, ApprovalStatus, ProofUse

if TYPE_CHECKING:
    from saasus_mcp.store.store import Store

APPROVAL_LIFETIME = 15 * 60
WAIT_AFTER_REJECTION = 10 * 60
MAX_PENDING = 5
MAX_QUESTION_LENGTH = 256 * 1024
"""Characters of a question, with the bound fields, that are kept for a person to decide on."""
CODE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""No letters or digits that are mistaken for each other when read aloud."""

ENGLISH_READER = Reader.of("en")


def is_code(typed: str, approval: Approval) -> bool:
    """Return whether this is the code of the approval, with or without hyphens, in either case."""
    return typed.strip().upper().replace("-", "") == approval.code.replace("-", "")


@dataclass(frozen=True, slots=True)
class ApprovalService:
    """Creates, finds and decides approvals. They are in the store, so that other processes find them."""

    store: Store
    reader: Reader = ENGLISH_READER

    def obtain_proof(
        self,
        binding: Binding,
        snapshot: TargetSnapshot,
        question: Question,
        now: float,
        *,
        two_person: bool = False,
        covered: Collection[Binding] = (),
    ) -> tuple[Proof | None, Approval]:
        """Return the proof if this call was approved and its target is unchanged; else None and the pending approval.

        An invalid approval is withdrawn, and the question of the new one begins with the cause. An approval of exactly this call is valid
        even if a variation of the call was rejected.

        Args:
            covered: the calls of a list, to which a rejection of the list applies, too.

        Raises:
            CallRefused: the call or a variation was rejected a short while ago, or too many approvals are pending.
        """
        known = self.store.list_approvals(now, binding.digest())
        live = next((approval for approval in known if approval.status in ("pending", "approved")), None)
        if (
            live is not None and stored_question.load_question(live) is None
        ):  # another version stored the question in an unknown form
            self.store.void_approval(live.code)
            live = None
        elif live is not None and (live.bound != snapshot.encoded or _lacks_another(live, two_person=two_person)):
            self.store.void_approval(live.code)
            question = replace(question, lead=explain_stale_approval(live, snapshot))
            live = None
        if live is None:
            return None, self._ask(binding, snapshot, question, now, two_person=two_person, covered=covered)
        if live.status == "pending":
            return None, live
        return Proof(
            ProofUse("approval", live.code), by=live.decided_by or "", question_digest=json_digest(live.preview)
        ), live

    def _ask(
        self,
        binding: Binding,
        snapshot: TargetSnapshot,
        question: Question,
        now: float,
        *,
        two_person: bool,
        covered: Collection[Binding],
    ) -> Approval:
        shown = replace(question, typed=question.typed or Text(snapshot.name, snapshot.name)).to_json()
        if len(shown) + len(snapshot.encoded) > MAX_QUESTION_LENGTH:
            raise CallRefused.because(Reason.TOO_LARGE, "permissions.question_too_large", most=MAX_QUESTION_LENGTH)
        wanted = Approval(
            code=_code(),
            binding=binding.digest(),
            operation=binding.operation,
            principal=binding.principal,
            profile=binding.profile,
            saas_id=binding.saas_id,
            name=snapshot.name,
            preview=shown,
            bound=snapshot.encoded,
            status="pending",
            requested_at=now,
            expires_at=now + APPROVAL_LIFETIME,
            two_person=two_person,
            subject=binding.subject(),
        )
        pending = self.store.request_approval(wanted, MAX_PENDING, [each.subject() for each in covered])
        if pending is None:
            raise self._flooded(binding.principal, now)
        if pending.status == "rejected":
            raise _rejected(pending, binding, now)
        return pending

    def _flooded(self, principal: str, now: float) -> CallRefused:
        """Return the refusal for too many pending approvals. It lists them, since only a decision on one makes room."""
        waiting = [each for each in self.store.list_approvals(now) if each.principal == principal]
        lines = [self._pending(each, now) for each in waiting if each.status == "pending"]
        return CallRefused(
            Reason.FLOODED,
            message("permissions.too_many_pending", count=MAX_PENDING),
            message("permissions.too_many_pending_hint", pending=Lines(tuple(lines))),
        )

    def _pending(self, approval: Approval, now: float) -> Message:
        minutes = max(1, math.ceil((approval.expires_at - now) / 60))
        question = stored_question.load_question(approval)
        asked = format_sentence(question.headline, self.reader) if question is not None else approval.operation
        name = "" if approval.name in asked else f" {quote_text(approval.name, self.reader.language)}"
        return message("permissions.pending_approval", code=approval.code, question=f"{asked}{name}", count=minutes)

    def require_not_rejected(self, binding: Binding, now: float) -> None:
        """Check that no person rejected the call or a variation of it a short while ago.

        Raises:
            CallRefused: a person did.
        """
        found = self.store.find_rejected(binding.subject(), now)
        if found is not None:
            raise _rejected(found, binding, now)

    def require_none_rejected(self, binding: Binding, covered: Collection[Binding], now: float) -> None:
        """Check that no person rejected one of the calls that a list covers a short while ago.

        A list that was requested before can still be approved.

        Raises:
            CallRefused: a person did.
        """
        if not covered or not (rejected := self.store.list_rejected(binding.principal, now)):
            return
        found = next(((each, rejected[each.subject()]) for each in covered if each.subject() in rejected), None)
        if found is None:
            return
        known = self.store.list_approvals(now, binding.digest())
        if all(each.status not in ("pending", "approved") for each in known):
            raise _rejected(found[1], found[0], now)

    def is_approved(self, binding: Binding, now: float) -> bool:
        """Return whether a person approved exactly this call and the approval is unused."""
        return any(each.status == "approved" for each in self.store.list_approvals(now, binding.digest()))

    def find_pending(self, code: str, now: float) -> Approval:
        """Return the pending approval with this code, in any spelling. Raise CallRefused if no such approval is pending."""
        for approval in self.store.list_approvals(now):
            if is_code(code, approval) and approval.status == "pending":
                return approval
        raise CallRefused.because(Reason.UNKNOWN, "permissions.no_pending_approval")

    def approve(
        self,
        approval: Approval,
        typed: str,
        by: str,
        now: float,
        comment: str | None = None,
        *,
        via: DecidedVia = "terminal",
        person: Person = NOBODY,
    ) -> None:
        """Approve the call that the approval shows, with the typed name of its target. The comment is stored and recorded.

        Raises:
            CallRefused: another name was typed, another person must approve, or the approval is no longer pending.
        """
        if not may_approve(approval, by):
            raise CallRefused.because(Reason.TWO_PERSON, "permissions.two_person")
        if not any(names_match(typed, stored_question.text_to_type(approval, language)) for language in LANGUAGES):
            raise CallRefused.because(Reason.DECLINED, "permissions.wrong_name")
        action = approval_action(approval, ActionKind.APPROVE, by=by, via=via, reason=comment or "", person=person)
        self._decide(approval, "approved", action, now, reason=comment, expires_at=now + APPROVAL_LIFETIME)

    def reject(
        self,
        approval: Approval,
        by: str,
        now: float,
        reason: str | None = None,
        *,
        via: DecidedVia = "terminal",
        person: Person = NOBODY,
    ) -> None:
        """Reject the call. It and its variations can be requested again after ten minutes.

        Raises:
            CallRefused: the approval is no longer pending.
        """
        action = approval_action(approval, ActionKind.REJECT, by=by, via=via, reason=reason or "", person=person)
        self._decide(approval, "rejected", action, now, reason=reason, retry_at=now + WAIT_AFTER_REJECTION)

    def _decide(
        self, approval: Approval, status: ApprovalStatus, action: ActionRecord, now: float, **decision: Any
    ) -> None:
        record = action.to_audit()
        if not self.store.decide_approval(
            approval.code, status, by=action.principal, at=now, record=record, **decision
        ):
            raise CallRefused.because(Reason.UNKNOWN, "permissions.no_longer_pending")


def may_approve(approval: Approval, by: str) -> bool:
    """Return whether this person may approve: under `two_person`, not the requester."""
    return not approval.two_person or by != approval.principal


def _lacks_another(live: Approval, *, two_person: bool) -> bool:
    """Return whether the approval predates `two_person`, and one person may have requested and given it."""
    return two_person and not live.two_person and live.decided_by in (None, live.principal)


def _code() -> str:
    letters = "".join(secrets.choice(CODE_ALPHABET) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def _rejected(rejected: Approval, binding: Binding, now: float) -> CallRefused:
    minutes = math.ceil(((rejected.retry_at or now) - now) / 60)
    call = "rejected" if rejected.binding == binding.digest() else "rejected_variation"
    cause = (
        one_of("permissions.rejection_because", call, code=rejected.code, reason=Quoted(rejected.reason))
        if rejected.reason
        else one_of("permissions.rejection", call, code=rejected.code)
    )
    return CallRefused(Reason.REJECTED, cause, message("permissions.rejected_hint", count=minutes))
