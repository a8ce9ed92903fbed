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
from saasus_mcp.permissions.refusal import Refused
from saasus_mcp.permissions.seal import Sealer
from saasus_mcp.permissions.target import Sight, is_name
from saasus_mcp.store import Spend

LIFETIME = 10 * 60
PURPOSE = "question"
FIELD_NAME, FIELD_YES = "name", "confirm"


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is shown. `name` is what they type to say yes, or None where a plain yes will do."""

    message: str
    name: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from the client."""

    action: Literal["accept", "decline", "cancel"]
    content: Mapping[str, Any] = field(default_factory=dict)


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


class Confirmations:
    """Asks, and judges replies. Holds nothing: what is outstanding travels sealed, what is used is in the store."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def ask(self, binding: Binding, question: Question, sight: Sight, now: float) -> str:
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
            Refused: it answers no question of ours, or another one; it came too late; or it is not a yes.
        """
        asked = self._sealer.read(reply.state, PURPOSE) if reply.state else None
        if asked is None:
            raise Refused(
                "unasked", "This answer belongs to no question that was asked.", "Call without an answer first."
            )
        if asked["binding"] != binding.digest():
            raise Refused("unasked", "The question was about another call.", "Call again to be asked about this one.")
        if asked["expires"] <= now:
            raise Refused("expired", "The question has expired.", "Call again to be asked anew.")
        heed(reply.answer)
        _judge(reply.answer.content, asked["name"])
        if asked["bound"] != sight.bound or (typed and asked["name"] is None):
            return Outdated(asked["bound"])
        return Proof(Spend("confirmation", asked["nonce"]), by=binding.principal, shown=asked["shown"])


def heed(answer: Answer) -> None:
    """A no is a no, whatever it answers.

    Raises:
        Refused: it is one.
    """
    if answer.action != "accept":
        raise Refused("declined", f"Not done: the person chose to {answer.action}.", "Do not try again unasked.")


def _judge(content: Mapping[str, Any], name: str | None) -> None:
    if name is None:
        if content.get(FIELD_YES) is not True:
            raise Refused("declined", "Not done: the person did not confirm.", "Do not try again unasked.")
        return
    typed = content.get(FIELD_NAME)
    if not isinstance(typed, str) or not is_name(typed, name):
        raise Refused("declined", "Not done: the name typed is not the target's.", "Ask the person what they meant.")
