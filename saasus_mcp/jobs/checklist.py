"""The checklist of an offboarding: what was found, the steps in phases, and the report of their outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from saasus_mcp.common.language import Text
from saasus_mcp.common.messages import Message, message
from saasus_mcp.jobs.calls.recipe import run_calls
from saasus_mcp.jobs.job_context import JobContext, outcome_of, split_phases
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.job_question import fixed_text, format_notes, optional_count, optional_list
from saasus_mcp.jobs.job_reader import JobReader, ReadFailed, RecordAbsent
from saasus_mcp.jobs.plan import Plan, PlanStep, StepGroup
from saasus_mcp.permissions.inspection.target import ReadFailure
from saasus_mcp.permissions.question.content import (
    Fact,
    LabelledValue,
    NoValue,
    QuestionWarning,
    UnreadableValue,
    Value,
)


@dataclass(slots=True)
class Checklist:
    """Collects the findings and the steps.

    Attributes:
        facts: findings for the question and the report.
        volatile_facts: findings that may change while a person decides.
        phases: the groups of steps. A phase begins only if everything before it was applied.
        records: details that do not fit in a line.
    """

    facts: list[Fact] = field(default_factory=list)
    report_facts: list[Fact] = field(default_factory=list)
    volatile_facts: list[Fact] = field(default_factory=list)
    phases: list[list[StepGroup]] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)

    def add_fact(self, name: str, label: Message, value: Value, *, lead: bool = False) -> None:
        """Add a finding. The question leaves it out if it has no value."""
        self.facts.append(Fact(name, label.both(), value, lead))

    def add_step(self, step: str, operation: str, args: Mapping[str, Any], *, phase: int, name: str) -> None:
        """Add a call as a group of its own."""
        while len(self.phases) <= phase:
            self.phases.append([])
        self.phases[phase].append(StepGroup(name, (PlanStep(step, operation, args),)))

    def add_invitations(self, invitations: Sequence[tuple[str, str]]) -> None:
        """Add the withdrawal of invitations, of which tenant and id are given, to the first phase."""
        for number, (tenant, invitation) in enumerate(invitations, 1):
            call = {"tenant_id": tenant, "invitation_id": invitation}
            name = f"invitation {number}"
            self.add_step(f"invitation/{number}", "auth.DeleteTenantInvitation", call, phase=0, name=name)

    def build_plan(
        self,
        name: str,
        headline: Message,
        counts: Mapping[str, int],
        *,
        warnings: Iterable[QuestionWarning],
        only_plan: bool,
        impact: tuple[Fact, ...] = (),
        follow_up: Sequence[Message] = (),
    ) -> Plan:
        """Return the plan.

        Args:
            name: of the target, which is typed to agree.
            only_plan: report the steps without running them.
            follow_up: notes about what remains to do after the job.
        """
        groups = tuple(group for phase in self.phases for group in phase)
        data = {
            "phases": [len(phase) for phase in self.phases],
            "steps": [group.name for group in groups],
            "only": only_plan,
            "records": self.records,
            "report": [asdict(note) for note in format_notes(tuple(self.report_facts))],
            "then": [asdict(note.both()) for note in follow_up],
        }
        return Plan(
            () if only_plan else groups,
            data,
            counts,
            headline.both(),
            tuple(self.facts),
            volatile_facts=tuple(self.volatile_facts),
            impact=impact,
            warnings=tuple(warnings),
            target=name,
        )


async def run_offboarding(work: JobContext, plan: Plan) -> JobResult:
    """Run the checklist of one tenant or user, or the calls of a list of them."""
    return await (run_calls(work, plan) if "rows" in plan.data else _run_checklist(work, plan))


async def _run_checklist(work: JobContext, plan: Plan) -> JobResult:
    """Run the steps phase by phase. Report the outcome of each, and the findings."""
    data = plan.data
    report, follow_up = ([Text(**text) for text in data[name]] for name in ("report", "then"))
    findings = (*format_notes((*plan.facts, *plan.volatile_facts)), *report)
    records = data["records"] or None
    if data["only"] or not plan.groups:
        steps = [{"step": name, "outcome": "planned"} for name in data["steps"]]
        return JobResult(plan.counts, steps, records, notes=(*findings, *follow_up))
    results = await work.run_phases(plan.groups, data["phases"], _dependencies(plan))
    rows = [{"step": group.name, **outcome_of(results.get(group.name))} for group in plan.groups]
    counts = Counter(row["outcome"] for row in rows)
    end = follow_up if set(counts) == {"applied"} else [message("jobs_offboarding.incomplete")]
    return JobResult(dict(sorted(counts.items())), rows, records, notes=(*findings, *end))


def _dependencies(plan: Plan) -> dict[str, list[str]]:
    """Return the dependencies: each group needs all groups of earlier phases."""
    dependencies: dict[str, list[str]] = {}
    earlier: list[str] = []
    for phase in split_phases(plan.groups, plan.data["phases"]):
        names = [group.name for group in phase]
        dependencies.update({name: [*earlier] for name in names})
        earlier += names
    return dependencies


async def read_fact(
    reader: JobReader, key: str, args: Mapping[str, Any], *, label: Message, value: Callable[[Any], Value]
) -> Fact:
    """Return a finding from a read, with the value of its answer: none for an absent record. If the read fails, the finding says so."""
    try:
        answer: Any = await reader.read(key, args)
    except RecordAbsent:
        return Fact(key, label.both(), NoValue())
    except ReadFailed:
        return Fact(key, label.both(), UnreadableValue(ReadFailure.NO_ANSWER))
    return Fact(key, label.both(), value(answer))


async def read_open_invitations(reader: JobReader, tenant: str) -> list[Mapping[str, Any]]:
    """Return the invitations of a tenant that nobody has accepted yet."""
    answer: Mapping[str, Any] = await reader.read("auth.GetTenantInvitations", {"tenant_id": tenant})
    return [each for each in answer.get("invitations", []) if each.get("status") == "pending"]


def key_count(answer: Mapping[str, Any]) -> Value:
    """Return the number of keys at the API gateway in an answer, or no value."""
    return optional_count(len(answer.get("api_keys", [])), "jobs_offboarding.keys")


def steps_fact(*phases: Iterable[Message]) -> Fact:
    """Return the numbered phases as a fact. Empty phases are left out."""
    filled = [texts for phase in phases if (texts := [fixed_text(text) for text in phase])]
    numbered = [
        LabelledValue(message("jobs.brackets", text=str(number)).both(), optional_list(texts))
        for number, texts in enumerate(filled, 1)
    ]
    return Fact("steps", message("jobs_offboarding.steps").both(), optional_list(numbered))
