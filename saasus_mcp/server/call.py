"""One call, from the client's words to what it gets: the frozen values between the pipeline and its callers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
class Visit:
    """A page that the person is asked to open in a browser. Its address carries no authority.

    Attributes:
        id: what tells one visit from another.
    """

    id: str
    url: str
    message: str


class Usher(Protocol):
    """How the person behind the client is sent to a page."""

    async def show(self, visit: Visit) -> bool | None:
        """Whether the person let the page be opened; None where that will come with a later call instead."""
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
        usher: None where the client cannot open a page.
        visited: whether the person let a page be opened, by the id of the visit, where the call comes with the answer.
        undoes: the call of the journal that this one undoes; never set by a client.
    """

    name: str
    arguments: Any
    principal: Principal
    asker: Asker | None = None
    reply: Reply | None = None
    usher: Usher | None = None
    visited: Mapping[str, bool] = field(default_factory=dict)
    undoes: Undoes | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """The call waits for a person: `state` comes back with the answer.

    Attributes:
        visit: the page to be opened, where that is what is asked.
    """

    question: Question
    state: str = ""
    visit: Visit | None = None


def under_present_name(catalogue: Catalogue, name: str, given: ToolAnswer) -> ToolAnswer:
    """The answer, with the tool's present name in its words where it was called by a former one."""
    present = catalogue.present_name(name)
    return given if present is None else replace(given, text=f"{given.text}\n[{name} is now called {present}.]")
