"""What a careful operator looks at before somebody leaves, and what became of each step afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from saasus_mcp.common.language import Text
from saasus_mcp.common.text import quote_name
from saasus_mcp.jobs.job_context import JobContext, JobReader, ReadFailed
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.job_phases import run_phases
from saasus_mcp.jobs.plan import Plan, PlanStep, StepGroup
from saasus_mcp.jobs.plan_question import format_notes
from saasus_mcp.permissions.question.content import (
    Fact,
    FixedText,
    LabelledValue,
    NoValue,
    Quantity,
    QuestionWarning,
    UnreadableValue,
    Value,
    ValueList,
)

STEPS = Text("Steps", "手順")
PEOPLE, KEYS = Text("people", "人"), Text("keys", "件")
NO_ANSWER = "no answer"
MAX_ITEMS = 200
"""Items of a list that are kept with a question. Of more, the number is told."""
NOT_ALL = Text(
    "Not all of it was done. Call again: what is done stays done, and the rest is planned again.",
    "一部が完了していません。もう一度呼び出すと、完了したものはそのままで、残りを計画し直します。",
)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a person reads before what was found: what is done to whom, who is affected, what cannot be undone.

    Attributes:
        name: what is typed.
    """

    name: str
    headline: Text
    warnings: tuple[QuestionWarning, ...] = ()
    impact: tuple[Fact, ...] = ()


@dataclass(slots=True)
class Checklist:
    """Collects what was found and what is to be done about it.

    Attributes:
        facts: what was found.
        report: of what was found, what stands in the report alone.
        momentary: of this, what may change while a person thinks.
        phases: the rows, in phases: each is begun only if everything in those before was done.
        records: what of it is too much for a line.
    """

    facts: list[Fact] = field(default_factory=list)
    report_facts: list[Fact] = field(default_factory=list)
    volatile_facts: list[Fact] = field(default_factory=list)
    phases: list[list[StepGroup]] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)

    def add_fact(self, name: str, label: Text, value: Value, *, lead: bool = False) -> None:
        """Note a finding. One that is absent stands in the report and not in the question."""
        self.facts.append(Fact(name, label, value, lead))

    async def read_fact(
        self, reader: JobReader, key: str, args: Mapping[str, Any], label: Text, value: Callable[[Any], Value]
    ) -> Fact:
        """What a read tells, as a finding; where it fails, that it is not known."""
        try:
            given: Any = await reader.read(key, args)
        except ReadFailed:
            return Fact(key, label, UnreadableValue(NO_ANSWER))
        return Fact(key, label, value(given))

    def add_step(self, phase: int, step: str, operation: str, args: Mapping[str, Any], name: str) -> None:
        """Plan a call, in a row of its own."""
        while len(self.phases) <= phase:
            self.phases.append([])
        self.phases[phase].append(StepGroup(name, (PlanStep(step, operation, args),)))

    def build_plan(self, about: Summary, counts: Mapping[str, int], *, only: bool, then: Sequence[Text] = ()) -> Plan:
        """The plan of it.

        Args:
            only: whether nothing is to be done.
            then: what is left to do when it is over.
        """
        rows = [row for phase in self.phases for row in phase]
        data = {
            "phases": [len(phase) for phase in self.phases],
            "steps": [row.name for row in rows],
            "only": only,
            "records": self.records,
            "report": [asdict(text) for text in format_notes(tuple(self.report_facts))],
            "then": [asdict(text) for text in then],
        }
        return Plan(
            () if only else tuple(rows),
            data,
            counts,
            about.headline,
            tuple(self.facts),
            volatile_facts=tuple(self.volatile_facts),
            impact=about.impact,
            warnings=about.warnings,
            target=about.name,
        )


async def run_checklist(work: JobContext, plan: Plan) -> JobResult:
    """Make the steps, phase by phase; then what became of each, and what had been found."""
    data = plan.data
    more, then = ([Text(**text) for text in data[name]] for name in ("report", "then"))
    found = (*format_notes((*plan.facts, *plan.volatile_facts)), *more)
    if data["only"] or not plan.groups:
        steps = [{"step": name, "outcome": "planned"} for name in data["steps"]]
        return JobResult(plan.counts, steps, data["records"] or None, notes=(*found, *then))
    done = await run_phases(work, plan.groups, data["phases"], _needs(plan))
    rows = [_became(row.name, done) for row in plan.groups]
    counts = {name: sum(row["outcome"] == name for row in rows) for name in {row["outcome"] for row in rows}}
    over = set(counts) == {"applied"}
    notes = (*found, *(then if over else [NOT_ALL]))
    return JobResult(dict(sorted(counts.items())), rows, data["records"] or None, notes=notes)


def _needs(plan: Plan) -> dict[str, list[str]]:
    """That each row needs all of the phases before its own."""
    needs: dict[str, list[str]] = {}
    before: list[str] = []
    start = 0
    for count in plan.data["phases"]:
        phase = [row.name for row in plan.groups[start : start + count]]
        needs.update({name: [*before] for name in phase})
        before += phase
        start += count
    return needs


def _became(name: str, done: Mapping[str, Any]) -> dict[str, Any]:
    each = done.get(name)
    if each is None:
        return {"step": name, "outcome": "not_begun"}
    return {"step": name, "outcome": each.outcome, **({"why": each.said} if each.said else {})}


def value_list(items: Iterable[Value]) -> Value:
    """A list of values; nothing where there is none."""
    every = tuple(items)
    return ValueList(every[:MAX_ITEMS], (1,) * min(len(every), MAX_ITEMS), len(every)) if every else NoValue()


def count_value(count: int, unit: Text) -> Value:
    """A number; nothing where it is none."""
    return Quantity(str(count), unit) if count else NoValue()


def count_noun(count: int, one: str, many: str) -> str:
    """A count with its noun, in English."""
    return f"{count} {one if count == 1 else many}"


def add_particle(name: str, particle: str) -> str:
    """A name in a Japanese sentence: what is not in quotation marks is set apart."""
    said = quote_name(name, "ja")
    return f"{said}{particle}" if said.endswith("」") else f"{said} {particle}"


def name_text(name: str) -> Text:
    """A name in both languages."""
    return Text(quote_name(name), quote_name(name, "ja"))


def steps_fact(*phases: Sequence[Text]) -> Fact:
    """What is done first, and what after that."""
    told = [each for each in phases if each]
    numbered = [
        LabelledValue(Text(f"({at})", f"({at})"), value_list(FixedText(text) for text in each))
        for at, each in enumerate(told, 1)
    ]
    return Fact("steps", STEPS, value_list(numbered))
