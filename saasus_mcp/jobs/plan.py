"""The plan of a job: its steps, and what a person is asked about them. Plain data, stored while the job runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from saasus_mcp.common.language import Text
from saasus_mcp.permissions.approval.proof import json_digest
from saasus_mcp.permissions.question.content import Change, Detail, Fact, QuestionWarning
from saasus_mcp.server.pipeline.call import JobStepRef
from saasus_mcp.server.pipeline.job_grants import argument_at

if TYPE_CHECKING:
    from pydantic import TypeAdapter


KNOWN_LATER = "known later"
"""Stands for an argument that an earlier step supplies, while the plan is made. In a list of calls, its place follows."""


@dataclass(frozen=True, slots=True)
class AnswerLookup:
    """A read that finds what an applied step created, if its answer was lost.

    Attributes:
        operation: operation key, called with `args`.
        items: the list in its answer.
        match: the fields that identify the item.
    """

    operation: str
    args: Mapping[str, Any]
    items: str
    match: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One call that changes something.

    Attributes:
        step: its name: unique in the plan, and the same each time the plan runs.
        operation: operation key.
        args: its arguments. A list has a placeholder for each item that an earlier step supplies, and an argument may have one.
        from_steps: arguments that an earlier step's answer supplies, by path: the name of that step and a field of its answer.
        snapshot: the encoded snapshot of the target, set when the step is evaluated.
        undoes: the call that the step undoes, and the number of the inverse call.
        binds: whether the step is bound to the state of its target. It is not if earlier steps change the target. A destructive or
            critical step is bound all the same, unless it is an undo: then the check that the target is as the undone call left
            it, made before the send, takes its place.
    """

    step: str
    operation: str
    args: Mapping[str, Any]
    from_steps: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    lookup: AnswerLookup | None = None
    snapshot: str = ""
    undoes: tuple[str, int] | None = None
    binds: bool = True

    def placeholders(self) -> dict[str, Any]:
        """Return a value for each argument that an earlier step supplies, with which the plan is evaluated."""
        return {place: argument_at(self.args, place) or KNOWN_LATER for place in self.from_steps}

    def ref(self, job: JobStepRef) -> JobStepRef:
        return replace(job, step=self.step, later=self.from_steps, bound=self.snapshot)


@dataclass(frozen=True, slots=True)
class StepGroup:
    """Steps that run one after another, such as those of one user. Groups run independently of each other."""

    name: str
    steps: tuple[PlanStep, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a job.

    Attributes:
        groups: the steps; empty for a job that only reads.
        data: other input of the job, as JSON.
        counts: the numbers of the report if no step is to be done.
        headline: the action and its target; the title of the job if None.
        facts, changes, impact, warnings, undo, details: see `Question`.
        volatile_facts: facts that may change while a person decides. They do not count for the digest.
        target: the one user or tenant that the job is about; empty for bulk work.
        typed: the text that a person types to agree to bulk work, such as the number of users.
        ordinary_facts: names of facts that need no review in full. If only such facts are cut short in the question, typing
            `typed` is enough.
        is_list: whether the plan is a list of any calls, to which the policy's `bulk` section applies.
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
    is_list: bool = False

    @property
    def steps(self) -> list[PlanStep]:
        return [step for group in self.groups for step in group.steps]

    def digest(self) -> str:
        """Return the SHA-256 of the plan without its volatile facts."""
        return json_digest(replace(self, volatile_facts=()).to_json())

    def to_json(self) -> dict[str, Any]:
        # By the types of the values and not of the fields, so that a whole number stays one: the digest depends on it.
        stored: dict[str, Any] = _adapter().dump_python(self, mode="json", serialize_as_any=True)
        return stored

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Plan:
        return _adapter().validate_python(stored)


@cache
def _adapter() -> TypeAdapter[Plan]:
    from pydantic import TypeAdapter  # noqa: PLC0415 - not on the way to the list of tools

    return TypeAdapter(Plan)
