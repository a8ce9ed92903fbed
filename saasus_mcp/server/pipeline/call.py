"""The values that callers pass to the pipeline and get back: a call, its ways to ask a person, and a pending question."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.approval.confirmation import ClientAnswer, ConfirmationPrompt, ConfirmationReply
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.saasus.deadline import Deadline
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.store.records import UndoEntry

if TYPE_CHECKING:
    from saasus_mcp.server.pipeline.prepared_call import Authorized, PreparedCall


MAX_ROUNDS = 4
"""Questions of one call while the target keeps changing."""


class Elicitor(Protocol):
    """Asks the person behind the client."""

    async def ask(self, question: ConfirmationPrompt) -> ClientAnswer | None:
        """Return the person's answer, or None if a later call will carry it."""
        ...


class TimedElicitor:
    """Measures how long a person takes to answer, because that time does not count against the deadline of the call.

    Attributes:
        seconds: the time of all answers so far.
    """

    def __init__(self, inner: Elicitor) -> None:
        self._inner = inner
        self.seconds = 0.0

    async def ask(self, question: ConfirmationPrompt) -> ClientAnswer | None:
        started = anyio.current_time()
        try:
            return await self._inner.ask(question)
        finally:
            self.seconds += anyio.current_time() - started


@dataclass(frozen=True, slots=True)
class UrlPrompt:
    """A page that the person is asked to open in a browser. Its address grants no access.

    Attributes:
        id: identifies the prompt among those of one client.
    """

    id: str
    url: str
    message: str


class UrlElicitor(Protocol):
    """Asks the person behind the client to open a page."""

    async def open_url(self, prompt: UrlPrompt) -> bool | None:
        """Return whether the person opened the page, or None if a later call will tell."""
        ...


class DeferredElicitor:
    """Returns a question or an address as the answer of the call. The next call carries the answer (protocol 2026-07-28, terminal, console)."""

    async def ask(self, question: ConfirmationPrompt) -> ClientAnswer | None:
        """Return None: there is no answer yet."""
        return None

    async def open_url(self, prompt: UrlPrompt) -> bool | None:
        """Return None: there is no answer yet."""
        return None


@dataclass(frozen=True, slots=True)
class UndoRef:
    """The entry of the undo log that a call undoes, and the number of the inverse call."""

    entry: UndoEntry
    number: int


@dataclass(frozen=True, slots=True)
class JobStepRef:
    """The step of a job that a call makes, with the consent to the plan of the job.

    Attributes:
        job: the id of the job. Its audit record is the parent of the call's record.
        step: the step of the plan. Empty for a read, which is made only if the policy allows it without a question.
        later: by argument (see `fill_placeholders`), the earlier step and the field of its answer that give the value.
        bound: the encoded snapshot of the target when the plan was approved. Empty if it was not read.
        given: how the plan was approved: `none`, `confirmation` or `approval`.
        by: the approver of the plan.
        typed: whether the approver typed a name.
        plan: the digest of the plan.
        critical: the operation whose critical calls the approval of the plan covers. Empty if each needs an approval of its own.
        critical_count: how many they are.
        listed: the number of calls if the plan is a list of any calls, to which the policy's `bulk` section applies; else 0.
    """

    job: str
    step: str = ""
    later: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    bound: str = ""
    given: str = "none"
    by: str = ""
    typed: bool = False
    plan: str = ""
    critical: str = ""
    critical_count: int = 0
    listed: int = 0

    @property
    def call_id(self) -> str:
        """The id of the call. It depends on job and step only, so that the call is found again after a crash."""
        return hashlib.sha256(f"{self.job}/{self.step}".encode()).hexdigest()[:32]


class Progress(Protocol):
    """Reports the progress of a long call to the client. `done` is None if the progress cannot be counted."""

    async def __call__(self, done: int | None, total: int | None, message: str) -> None: ...


RateLimitHandler = Callable[["PreparedCall", "Authorized", ToolAnswer, int], Awaitable[ToolAnswer | None]]
"""Waits after the API refused a call with 429, given the call, its permission, the answer and the number of earlier refusals.

Returns None when the call may be sent again, or the answer with which it ends."""


async def no_progress(done: int | None, total: int | None, message: str) -> None:
    """Report nothing: the client did not ask for progress."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request to run a tool.

    Attributes:
        arguments: as the client sent them.
        elicitor: None if the client cannot ask a person.
        reply: the person's answer to an earlier question, in the protocol that sends it with a second call.
        url_elicitor: None if the client cannot open a page.
        url_answers: by id of the prompt, whether the person opened the page.
        undo_ref: the change that the call undoes. A client cannot set it.
        job_step: the step of a job that the call makes. A client cannot set it.
        deadline: None for the server's own limit.
        reason: why the caller makes the call, in the caller's words. No decision depends on it.
        is_cancelled: returns whether the client cancelled the call. A lost connection does not cancel it.
        on_rate_limit: for calls of a job, which waits and goes on. Without it, the call ends. A client cannot set it.
        known_names: names that earlier calls of the job have read, by kind and id. The call adds those that it reads.
        rounds: the answers of the person so far for which the server waited.
        encoding: of the file that a table among the arguments was read from, which a question tells. Empty without a file.
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
    is_cancelled: Callable[[], bool] = lambda: False
    on_rate_limit: RateLimitHandler | None = None
    known_names: dict[str, str] = field(default_factory=dict)
    rounds: int = 0
    encoding: str = ""

    def answered(self, reply: ConfirmationReply) -> Call:
        """Return the call with a person's answer. The time that they took does not count against its deadline.

        While the person thought, policy and target may have changed, so the person may be asked again, up to `MAX_ROUNDS` times in all.
        """
        rounds = self.rounds + 1
        elicitor = self.elicitor if rounds < MAX_ROUNDS else None
        return replace(self.postponed(reply.seconds), reply=reply, rounds=rounds, elicitor=elicitor)

    def postponed(self, seconds: float) -> Call:
        """Return the call with a later deadline."""
        return self if self.deadline is None else replace(self, deadline=self.deadline.postponed(seconds))

    def with_timer(self) -> tuple[Call, Callable[[], float]]:
        """Return the call with an elicitor that measures, and a function that returns the seconds of all answers so far."""
        if self.elicitor is None:
            return self, float
        elicitor = TimedElicitor(self.elicitor)
        return replace(self, elicitor=elicitor), lambda: elicitor.seconds


@dataclass(frozen=True, slots=True)
class PendingElicitation:
    """A question that a person must answer before the call can go on.

    Attributes:
        state: the client returns it with the answer.
        url_prompt: the page to open, if the question is to open a page.
    """

    prompt: ConfirmationPrompt
    state: str = ""
    url_prompt: UrlPrompt | None = None


def mention_current_name(catalogue: Catalogue, name: str, answer: ToolAnswer) -> ToolAnswer:
    """Return the answer, with the current name of the tool if the client used a former name."""
    current = catalogue.present_name(name)
    return answer if current is None else replace(answer, text=f"{answer.text}\n[{name} is now called {current}.]")
