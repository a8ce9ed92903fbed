"""A person's yes through the client: asked for, bound to one call, used once.

It defends against the model and trusts the client, which shows the question. What the client must give back with the
answer is sealed, so that an answer to a question that was never asked, or was asked about another call, is refused.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from saasus_mcp.permissions.proof import Binding, Proof, digest
from saasus_mcp.permissions.question.model import Question
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.permissions.seal import Sealer
from saasus_mcp.permissions.target import Sight, is_name
from saasus_mcp.store import Spend

LIFETIME = 10 * 60
ASK = "Ask the person, then call again."
READING_SECONDS = 2.0
"""Nobody reads a question and answers it in less: a no that comes sooner is taken for the client's own."""
PURPOSE = "question"
FIELD_NAME, FIELD_YES = "name", "confirm"


@dataclass(frozen=True, slots=True)
class Prompt:
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
class Answer:
    """What came back from the client.

    Attributes:
        action: as the protocol has it; `failed` where the client could not show the question.
        at_terminal: whether a person gave it at a terminal of ours, where no client stands in between.
    """

    action: Literal["accept", "decline", "cancel", "failed"]
    content: Mapping[str, Any] = field(default_factory=dict)
    at_terminal: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with the state that the client gave back beside it; None where it gave none."""

    answer: Answer
    state: str | None


@dataclass(frozen=True, slots=True)
class Outdated:
    """A yes to what is no more: the person must be asked again.

    Attributes:
        bound: the target's bound fields as they were when it was asked (permissions.bound).
    """

    bound: str


class NotAPerson(Refused):
    """A no that no person can be taken to have given: a client that runs unattended answers so by itself."""


class Confirmations:
    """Asks, and judges replies. Holds nothing: what is outstanding travels sealed, what is used is in the store."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def ask(self, binding: Binding, question: Prompt, sight: Sight, now: float) -> str:
        """The state that must come back with the answer."""
        asked = {
            "nonce": secrets.token_hex(16),
            "binding": binding.digest(),
            "name": question.name,
            "bound": sight.bound,
            "shown": digest(question.message),
            "expires": now + LIFETIME,
        }
        return self._sealer.token(asked, PURPOSE)

    def settle(
        self, reply: Reply, binding: Binding, sight: Sight, now: float, *, typed: bool = False
    ) -> Proof | Outdated:
        """The proof that a reply is worth. It is outdated where the target changed since the question was asked, or the
        decision now wants the name typed and the question did not.

        Raises:
            NotAPerson: it is a no, and not known to be a person's.
            Refused: it answers no question of ours, or another one; it came too late; or it is a person's no.
        """
        self.heed(reply, now)
        asked = self._asked(reply)
        if asked is None:
            raise Refused(
                "unasked", "This answer does not match a question that was asked.", "Call without an answer first."
            )
        if asked["binding"] != binding.digest():
            raise Refused("unasked", "The question was about another call.", "Call again to be asked about this one.")
        if asked["expires"] <= now:
            raise Refused("expired", "The question has expired.", "Call again to be asked again.")
        no = _no(reply.answer.content, asked["name"])
        if no is not None:
            raise self._fast(reply, now) or no
        if asked["bound"] != sight.bound or (typed and asked["name"] is None):
            return Outdated(asked["bound"])
        return Proof(Spend("confirmation", asked["nonce"]), by=binding.principal, shown=asked["shown"])

    def heed(self, reply: Reply, now: float) -> None:
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
            raise NotAPerson("client_failed", "The client could not show the question.", ASK)
        raise NotAPerson("client_cancel", "The client closed the question without an answer (cancel).", ASK)

    def _asked(self, reply: Reply) -> dict[str, Any] | None:
        """What was asked, as the state tells it; None where it is no state of ours."""
        return self._sealer.read(reply.state, PURPOSE) if reply.state else None

    def _fast(self, reply: Reply, now: float) -> NotAPerson | None:
        """That a no came faster than a person can read; None where it did not."""
        if reply.answer.at_terminal:
            return None
        asked = self._asked(reply)
        seconds = now - (asked["expires"] - LIFETIME) if asked is not None else 0.0
        if seconds >= READING_SECONDS:
            return None
        return NotAPerson("fast_no", f"The client declined after {max(0.0, seconds):.1f} seconds.", ASK)


def _no(content: Mapping[str, Any], name: str | None) -> Refused | None:
    """The refusal where an accepted form does not say yes."""
    if name is None:
        return None if content.get(FIELD_YES) is True else _declined("the question was not confirmed")
    typed = content.get(FIELD_NAME)
    if isinstance(typed, str) and is_name(typed, name):
        return None
    return Refused(
        "declined", "Not done: the name typed does not match the target's name.", "Ask the person what they meant."
    )


def _declined(how: str) -> Refused:
    return Refused("declined", f"Not done: {how}.", "Do not try again unless the person asks for it.")
