"""What a job would do: the steps that change something, and what a person is asked of it. Plain data, kept while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from saasus_mcp.common.language import Text
from saasus_mcp.permissions.approval.proof import json_digest
from saasus_mcp.permissions.question.content import Change, Detail, Fact, QuestionWarning
from saasus_mcp.server.pipeline.call import JobStepRef

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True)
class AnswerLookup:
    """How to find what a step made, where it is known to be done and its answer was lost.

    Attributes:
        read: operation key, called with `args`.
        items: the list in its answer.
        where: what the one item sought holds.
    """

    operation: str
    args: Mapping[str, Any]
    items: str
    match: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One call that changes something.

    Attributes:
        step: its name in the plan: unique, the same whenever the plan is run.
        operation: operation key.
        args: its arguments, without those that come later; in a list that one comes into, anything holds its place.
        later: arguments that an earlier step's answer gives, by place (server.filling): which step's, and which field of it.
        bound: filled in when it is weighed (permissions.bound).
    """

    step: str
    operation: str
    args: Mapping[str, Any]
    from_steps: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    lookup: AnswerLookup | None = None
    snapshot: str = ""

    def ref(self, of: JobStepRef) -> JobStepRef:
        """The entry as the part of a job that it is."""
        return replace(of, step=self.step, later=self.from_steps, bound=self.snapshot)


@dataclass(frozen=True, slots=True)
class StepGroup:
    """Steps that belong together and go one after the other: those of one user, say. Rows do not wait for each other."""

    name: str
    steps: tuple[PlanStep, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a job would do, and what a person is asked before it.

    Attributes:
        rows: what changes something; empty for a job that only reads.
        data: what else the job wants to know when it runs.
        counts: the numbers of the plan, for its report where nothing is to be done.
        headline: what is done to whom; the title of the job where there is none.
        facts, changes, reach, warnings, undo, details: as in a question (permissions.question.model).
        momentary: facts that may change while a person thinks: other ones make no other plan.
        target: the one person or thing that it is about; empty for bulk work.
        typed: what is typed to agree to bulk work: how many of what.
        ordinary: names of facts of bulk work that hold nothing out of the ordinary: where no more than these is not shown
            whole, typing how many there are is enough.
    """

    groups: tuple[StepGroup, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    headline: Text | None = None
    facts: tuple[Fact, ...] = ()
    changes: tuple[Change, ...] = ()
    volatile_facts: tuple[Fact, ...] = ()
    impact: tuple[Fact, ...] = ()
    warnings: tuple[QuestionWarning, ...] = ()
    undo: Text | None = None
    details: tuple[Detail, ...] = ()
    target: str = ""
    typed: Text | None = None
    ordinary_facts: tuple[str, ...] = ()

    @property
    def steps(self) -> list[PlanStep]:
        return [entry for row in self.groups for entry in row.steps]

    def digest(self) -> str:
        """SHA-256 over all of it that is not momentary."""
        return json_digest(asdict(replace(self, volatile_facts=())))

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Plan:
        """The plan that was kept as JSON."""
        return _adapter().validate_python(kept)


@cache
def _adapter() -> TypeAdapter[Plan]:
    from pydantic import TypeAdapter  # noqa: PLC0415 - not on the way to the list of tools

    return TypeAdapter(Plan)
