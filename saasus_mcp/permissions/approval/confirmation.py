"""Confirmations: a person's consent through the client, bound to one call and used once.

A confirmation defends against the model and trusts the client, which shows the question. The state that the client returns with the
answer is encrypted, so that an answer without a question, or to the question of another call, is refused.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from saasus_mcp.common.messages import Message, message
from saasus_mcp.permissions.approval.proof import Binding, Proof, json_digest
from saasus_mcp.permissions.inspection.target import TargetSnapshot, names_match
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.store.records import CLOCK_TOLERANCE, ProofUse

CONFIRMATION_LIFETIME = 10 * 60
ASK = message("permissions.ask_person_hint")
MIN_READING_SECONDS = 2.0
"""A person needs longer to read a question. A faster no is attributed to the client."""
QUESTION_PURPOSE = "question"
FIELD_NAME, FIELD_YES = "name", "confirm"


@dataclass(frozen=True, slots=True)
class ConfirmationPrompt:
    """The prompt that a client shows to a person.

    Attributes:
        message: the question as plain text.
        name: the text that the person types to agree; None if a plain yes is enough.
        question: the question as data, for a terminal; None if no call is concerned.
    """

    message: str
    name: str | None
    question: Question | None = None


@dataclass(frozen=True, slots=True)
class ClientAnswer:
    """The answer of the client.

    Attributes:
        action: as in the protocol; `failed` if the client could not show the question.
        at_terminal: whether a person answered in a terminal of this program, without a client in between.
    """

    action: Literal["accept", "decline", "cancel", "failed"]
    content: Mapping[str, Any] = field(default_factory=dict)
    at_terminal: bool = False


@dataclass(frozen=True, slots=True)
class ConfirmationReply:
    """An answer with the state that the client returned, or None without one.

    Attributes:
        seconds: how long the person took to answer, if the server waited for it.
    """

    answer: ClientAnswer
    state: str | None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class StaleAnswer:
    """A yes to an outdated question: the person must be asked again.

    Attributes:
        snapshot: of the target when the question was asked (permissions.inspection.target).
    """

    snapshot: str


class UnattendedAnswer(CallRefused):
    """A no that cannot be attributed to a person: clients that run unattended answer so by themselves."""


@dataclass(frozen=True, slots=True)
class ConfirmationService:
    """Asks questions and verifies replies. It is stateless: open questions are in the encrypted state, used ones in the store."""

    encryptor: Encryptor

    def seal_question(
        self, binding: Binding, question: ConfirmationPrompt, snapshot: TargetSnapshot, now: float
    ) -> str:
        """Return the state that must come back with the answer."""
        asked = {
            "nonce": secrets.token_hex(16),
            "binding": binding.digest(),
            "name": question.name,
            "bound": snapshot.encoded,
            "shown": json_digest(question.message),
            "expires": now + CONFIRMATION_LIFETIME,
        }
        return self.encryptor.encrypt_token(asked, QUESTION_PURPOSE)

    def verify_reply(
        self, reply: ConfirmationReply, binding: Binding, snapshot: TargetSnapshot, now: float, *, typed: bool = False
    ) -> Proof | StaleAnswer:
        """Return the proof of a reply, or StaleAnswer if the target changed since the question, or the
        decision now demands a typed name that the question did not.

        Raises:
            UnattendedAnswer: a no that cannot be attributed to a person.
            CallRefused: the reply answers no question of this server or that of another call, is late, or is a person's no.
        """
        self.require_not_declined(reply, now)
        asked = self._asked(reply)
        if asked is None:
            raise CallRefused.because(Reason.UNASKED, "permissions.unasked")
        if asked["binding"] != binding.digest():
            raise CallRefused.because(Reason.UNASKED, "permissions.other_call")
        if not now < asked["expires"] <= now + CONFIRMATION_LIFETIME + CLOCK_TOLERANCE:
            raise CallRefused.because(Reason.EXPIRED, "permissions.question_expired")
        no = _no(reply.answer.content, asked["name"])
        if no is not None:
            raise self._fast(reply, now) or no
        if asked["bound"] != snapshot.encoded or (typed and asked["name"] is None):
            return StaleAnswer(asked["bound"])
        return Proof(ProofUse("confirmation", asked["nonce"]), by=binding.principal, question_digest=asked["shown"])

    def require_not_declined(self, reply: ConfirmationReply, now: float) -> None:
        """Refuse a reply that is a no, whatever question it answers and whatever the policy is now.

        Raises:
            UnattendedAnswer: a no that cannot be attributed to a person.
            CallRefused: a person's no.
        """
        answer = reply.answer
        if answer.action == "accept":
            return
        if answer.at_terminal:
            raise _declined(_AT_TERMINAL[answer.action])
        if answer.action == "decline":
            raise self._fast(reply, now) or _declined(message("permissions.declined_by_client"))
        if answer.action == "failed":
            raise UnattendedAnswer(Reason.CLIENT_FAILED, message("permissions.client_failed"), ASK)
        raise UnattendedAnswer(Reason.CLIENT_CANCEL, message("permissions.client_cancelled"), ASK)

    def _asked(self, reply: ConfirmationReply) -> dict[str, Any] | None:
        """Return the question in the state, or None if the state is not of this server."""
        return self.encryptor.decrypt_token(reply.state, QUESTION_PURPOSE) if reply.state else None

    def _fast(self, reply: ConfirmationReply, now: float) -> UnattendedAnswer | None:
        """Return the error for a no that came faster than a person can read, or None."""
        if reply.answer.at_terminal:
            return None
        asked = self._asked(reply)
        seconds = now - (asked["expires"] - CONFIRMATION_LIFETIME) if asked is not None else 0.0
        if seconds >= MIN_READING_SECONDS:
            return None
        return UnattendedAnswer(Reason.FAST_NO, message("permissions.fast_no", seconds=max(0.0, seconds)), ASK)


def _no(content: Mapping[str, Any], name: str | None) -> CallRefused | None:
    """Return the refusal if an accepted form does not agree."""
    if name is None:
        return None if content.get(FIELD_YES) is True else _declined(message("permissions.not_confirmed"))
    typed = content.get(FIELD_NAME)
    if isinstance(typed, str) and names_match(typed, name):
        return None
    return CallRefused.because(Reason.DECLINED, "permissions.name_mismatch")


def _declined(cause: Message) -> CallRefused:
    return CallRefused(Reason.DECLINED, cause, message("permissions.declined_hint"))


_AT_TERMINAL = {
    "decline": message("permissions.declined"),
    "cancel": message("permissions.cancelled"),
    "failed": message("permissions.failed_at_terminal"),
}
