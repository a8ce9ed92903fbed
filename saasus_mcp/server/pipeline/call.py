"""One call, from the client's words to what it gets: the frozen values between the pipeline and its callers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import anyio

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.approval.confirmation import ClientAnswer, ConfirmationPrompt, ConfirmationReply
from saasus_mcp.permissions.policy.presets import Principal
from saasus_mcp.saasus.deadline import Deadline
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.store import UndoEntry


class Elicitor(Protocol):
    """How a question reaches the person behind the client."""

    async def ask(self, question: ConfirmationPrompt) -> ClientAnswer | None:
        """The person's answer; None where the answer will come with a later call instead."""
        ...


class TimedElicitor:
    """Asks through another one and measures how long the person took: that time does not count for the call.

    Attributes:
        seconds: taken so far.
    """

    def __init__(self, under: Elicitor) -> None:
        self._under = under
        self.seconds = 0.0

    async def ask(self, question: ConfirmationPrompt) -> ClientAnswer | None:
        """The person's answer, as the other one gives it."""
        began = anyio.current_time()
        try:
            return await self._under.ask(question)
        finally:
            self.seconds += anyio.current_time() - began


@dataclass(frozen=True, slots=True)
class UrlPrompt:
    """A page that the person is asked to open in a browser. Its address carries no authority.

    Attributes:
        id: what tells one visit from another.
    """

    id: str
    url: str
    message: str


class UrlElicitor(Protocol):
    """How the person behind the client is sent to a page."""

    async def open_url(self, visit: UrlPrompt) -> bool | None:
        """Whether the person let the page be opened; None where that will come with a later call instead."""
        ...


@dataclass(frozen=True, slots=True)
class UndoRef:
    """That a call undoes another: the journal's entry of that one, and by which of its inverses."""

    entry: UndoEntry
    number: int


@dataclass(frozen=True, slots=True)
class JobStepRef:
    """That a call is a part of a job.

    Attributes:
        job: the job, whose record in the audit is the parent of this call's.
        step: which step of what was agreed to; empty for a read, which goes only where it may go unasked.
        later: the arguments that an earlier step's answer gives, by place (server.filling): which step's, and which field of it.
        bound: the target's bound fields as they were then (permissions.bound); empty where they were not looked at.
        given, by, typed, plan: how a person agreed to the plan, who, whether by typing a name, and to which plan.
    """

    job: str
    step: str = ""
    later: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    bound: str = ""
    given: str = "none"
    by: str = ""
    typed: bool = False
    plan: str = ""

    @property
    def call_id(self) -> str:
        """The id of the step's call: always the same, so that it can be found again after a crash."""
        return hashlib.sha256(f"{self.job}/{self.step}".encode()).hexdigest()[:32]


class Progress(Protocol):
    """Tells the client how far a long call is. `done` is None where it can only be said that the call goes on."""

    async def __call__(self, done: int | None, total: int | None, message: str) -> None: ...


def not_cancellable() -> bool:
    """Where a client takes no call back."""
    return False


async def no_progress(done: int | None, total: int | None, message: str) -> None:
    """Where nobody asked how far a call is."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a client asks for.

    Attributes:
        asker: None where the client cannot ask a person.
        reply: what the client says a person answered, in the protocol where that comes with a second call.
        usher: None where the client cannot open a page.
        visited: whether the person let a page be opened, by the id of the visit, where the call comes with the answer.
        undoes: the call of the journal that this one undoes; never set by a client.
        part: the job that makes this call; never set by a client.
        progress: told how far the call is, where it takes long.
        deadline: when the call must be over; the server's own limit where it is None.
        reason: why, in the caller's own words (server.reason); nothing rests on it.
        taken_back: whether the client has said that it no more wants what it asked for; a lost connection does not say so.
    """

    name: str
    arguments: Any
    principal: Principal
    elicitor: Elicitor | None = None
    reply: ConfirmationReply | None = None
    url_elicitor: UrlElicitor | None = None
    url_answers: Mapping[str, bool] = field(default_factory=dict)
    undo_ref: UndoRef | None = None
    job_step: JobStepRef | None = None
    progress: Progress = no_progress
    deadline: Deadline | None = None
    reason: str = ""
    is_cancelled: Callable[[], bool] = not_cancellable

    def with_timer(self) -> tuple[Call, Callable[[], float]]:
        """Return the call with an asker that measures, and what tells the seconds that a person has taken so far."""
        if self.elicitor is None:
            return self, float
        asker = TimedElicitor(self.elicitor)
        return replace(self, elicitor=asker), lambda: asker.seconds


@dataclass(frozen=True, slots=True)
class PendingElicitation:
    """The call waits for a person: `state` comes back with the answer.

    Attributes:
        visit: the page to be opened, where that is what is asked.
    """

    prompt: ConfirmationPrompt
    state: str = ""
    url_prompt: UrlPrompt | None = None


def mention_current_name(catalogue: Catalogue, name: str, given: ToolAnswer) -> ToolAnswer:
    """The answer, with the tool's present name in its words where it was called by a former one."""
    present = catalogue.present_name(name)
    return given if present is None else replace(given, text=f"{given.text}\n[{name} is now called {present}.]")
