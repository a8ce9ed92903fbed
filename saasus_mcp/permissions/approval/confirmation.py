"""A person's yes through the client: asked for, bound to one call, used once.

It defends against the model and trusts the client, which shows the question. What the client must give back with the
answer is sealed, so that an answer to a question that was never asked, or was asked about another call, is refused.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from saasus_mcp.permissions.approval.proof import Binding, Proof, json_digest
from saasus_mcp.permissions.inspection.target import TargetSnapshot, names_match
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.store import ProofUse

CONFIRMATION_LIFETIME = 10 * 60
ASK = "Ask the person, then call again."
MIN_READING_SECONDS = 2.0
"""Nobody reads a question and answers it in less: a no that comes sooner is taken for the client's own."""
QUESTION_PURPOSE = "question"
FIELD_NAME, FIELD_YES = "name", "confirm"


@dataclass(frozen=True, slots=True)
class ConfirmationPrompt:
    """What a client shows its person.

    Attributes:
        message: the question as plain text.
        name: what they type to say yes; None where a plain yes is enough.
        question: the question as data, for a terminal; None where it is about no call.
    """

    message: str
    name: str | None
    question: Question | None = None


@dataclass(frozen=True, slots=True)
class ClientAnswer:
    """What came back from the client.

    Attributes:
        action: as the protocol has it; `failed` where the client could not show the question.
        at_terminal: whether a person gave it at a terminal of ours, where no client stands in between.
    """

    action: Literal["accept", "decline", "cancel", "failed"]
    content: Mapping[str, Any] = field(default_factory=dict)
    at_terminal: bool = False


@dataclass(frozen=True, slots=True)
class ConfirmationReply:
    """An answer with the state that the client gave back beside it; None where it gave none."""

    answer: ClientAnswer
    state: str | None


@dataclass(frozen=True, slots=True)
class StaleAnswer:
    """A yes to what is no more: the person must be asked again.

    Attributes:
        bound: the target's bound fields as they were when it was asked (permissions.bound).
    """

    snapshot: str


class UnattendedAnswer(CallRefused):
    """A no that no person can be taken to have given: a client that runs unattended answers so by itself."""


class ConfirmationService:
    """Asks, and judges replies. Holds nothing: what is outstanding travels sealed, what is used is in the store."""

    def __init__(self, sealer: Encryptor) -> None:
        self._sealer = sealer

    def seal_question(self, binding: Binding, question: ConfirmationPrompt, sight: TargetSnapshot, now: float) -> str:
        """The state that must come back with the answer."""
        asked = {
            "nonce": secrets.token_hex(16),
            "binding": binding.digest(),
            "name": question.name,
            "bound": sight.encoded,
            "shown": json_digest(question.message),
            "expires": now + CONFIRMATION_LIFETIME,
        }
        return self._sealer.encrypt_token(asked, QUESTION_PURPOSE)

    def verify_reply(
        self, reply: ConfirmationReply, binding: Binding, sight: TargetSnapshot, now: float, *, typed: bool = False
    ) -> Proof | StaleAnswer:
        """The proof that a reply is worth. It is outdated where the target changed since the question was asked, or the
        decision now wants the name typed and the question did not.

        Raises:
            NotAPerson: it is a no, and not known to be a person's.
            Refused: it answers no question of ours, or another one; it came too late; or it is a person's no.
        """
        self.require_not_declined(reply, now)
        asked = self._asked(reply)
        if asked is None:
            raise CallRefused(
                Reason.UNASKED, "This answer does not match a question that was asked.", "Call without an answer first."
            )
        if asked["binding"] != binding.digest():
            raise CallRefused(
                Reason.UNASKED, "The question was about another call.", "Call again to be asked about this one."
            )
        if asked["expires"] <= now:
            raise CallRefused(Reason.EXPIRED, "The question has expired.", "Call again to be asked again.")
        no = _no(reply.answer.content, asked["name"])
        if no is not None:
            raise self._fast(reply, now) or no
        if asked["bound"] != sight.encoded or (typed and asked["name"] is None):
            return StaleAnswer(asked["bound"])
        return Proof(ProofUse("confirmation", asked["nonce"]), by=binding.principal, question_digest=asked["shown"])

    def require_not_declined(self, reply: ConfirmationReply, now: float) -> None:
        """Take a no for a no, whatever question it answers and whatever the policy says now.

        Raises:
            NotAPerson: it is a no, and not known to be a person's.
            Refused: it is a person's no.
        """
        answer = reply.answer
        if answer.action == "accept":
            return
        if answer.at_terminal:
            raise _declined(f"the person chose to {answer.action}")
        if answer.action == "decline":
            raise self._fast(reply, now) or _declined("the client says that the person chose to decline")
        if answer.action == "failed":
            raise UnattendedAnswer(Reason.CLIENT_FAILED, "The client could not show the question.", ASK)
        raise UnattendedAnswer(Reason.CLIENT_CANCEL, "The client closed the question without an answer (cancel).", ASK)

    def _asked(self, reply: ConfirmationReply) -> dict[str, Any] | None:
        """What was asked, as the state tells it; None where it is no state of ours."""
        return self._sealer.decrypt_token(reply.state, QUESTION_PURPOSE) if reply.state else None

    def _fast(self, reply: ConfirmationReply, now: float) -> UnattendedAnswer | None:
        """That a no came faster than a person can read; None where it did not."""
        if reply.answer.at_terminal:
            return None
        asked = self._asked(reply)
        seconds = now - (asked["expires"] - CONFIRMATION_LIFETIME) if asked is not None else 0.0
        if seconds >= MIN_READING_SECONDS:
            return None
        return UnattendedAnswer(Reason.FAST_NO, f"The client declined after {max(0.0, seconds):.1f} seconds.", ASK)


def _no(content: Mapping[str, Any], name: str | None) -> CallRefused | None:
    """The refusal where an accepted form does not say yes."""
    if name is None:
        return None if content.get(FIELD_YES) is True else _declined("the question was not confirmed")
    typed = content.get(FIELD_NAME)
    if isinstance(typed, str) and names_match(typed, name):
        return None
    return CallRefused(
        Reason.DECLINED, "Not done: the name typed does not match the target's name.", "Ask the person what they meant."
    )


def _declined(how: str) -> CallRefused:
    return CallRefused(Reason.DECLINED, f"Not done: {how}.", "Do not try again unless the person asks for it.")
