"""One call, from the client's words to what it gets: the frozen values between the pipeline and its callers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.confirmation import Answer, Question, Reply
from saasus_mcp.permissions.policy import Principal
from saasus_mcp.saasus.answer import ToolAnswer
from saasus_mcp.store import Entry


class Asker(Protocol):
    """How a question reaches the person behind the client."""

    async def ask(self, question: Question) -> Answer | None:
        """The person's answer; None where the answer will come with a later call instead."""
        ...


@dataclass(frozen=True, slots=True)
class Undoes:
    """That a call undoes another: the journal's entry of that one, and by which of its inverses."""

    entry: Entry
    part: int


@dataclass(frozen=True, slots=True)
class Call:
    """What a client asks for.

    Attributes:
        asker: None where the client cannot ask a person.
        reply: what the client says a person answered, in the protocol where that comes with a second call.
        undoes: the call of the journal that this one undoes; never set by a client.
    """

    name: str
    arguments: Any
    principal: Principal
    asker: Asker | None = None
    reply: Reply | None = None
    undoes: Undoes | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """The call waits for a person: `state` comes back with the answer."""

    question: Question
    state: str


def under_present_name(catalogue: Catalogue, name: str, given: ToolAnswer) -> ToolAnswer:
    """The answer, with the tool's present name in its words where it was called by a former one."""
    present = catalogue.present_name(name)
    return given if present is None else replace(given, text=f"{given.text}\n[{name} is now called {present}.]")
