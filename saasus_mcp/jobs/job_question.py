"""The question of a job, built from its plan, and the values and texts in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from saasus_mcp.catalog import Catalogue
from saasus_mcp.catalog.jobs import JobSpec
from saasus_mcp.common.language import Text
from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.text import quote_name
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.permissions.question.builder import effect_warnings
from saasus_mcp.permissions.question.content import (
    Detail,
    Fact,
    FixedText,
    NoValue,
    Quantity,
    Question,
    QuestionWarning,
    Value,
    ValueList,
)
from saasus_mcp.permissions.question.dialog import render_body
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.question.layout import hidden_labels

MAX_STORED_ITEMS = 200
"""Items of a list that are stored with a question. Of a longer list, the question has the total."""


def name_text(name: str) -> Text:
    """Return a name, quoted where necessary, in both languages."""
    return Text(quote_name(name, "en"), quote_name(name, "ja"))


def leading_name(name: str) -> Text:
    """Return a name for the beginning of a sentence: in Japanese, a space follows a name without quotation marks."""
    japanese = quote_name(name, "ja")
    return Text(quote_name(name, "en"), japanese if japanese.endswith("」") else f"{japanese} ")


def fixed_text(text: Message) -> FixedText:
    """Return a text as a value, in both languages."""
    return FixedText(text.both())


def in_brackets(texts: Iterable[Text]) -> FixedText:
    """Return the texts as one value, separated as each language does it."""
    every = tuple(texts)
    joined = Text(", ".join(each.en for each in every), "・".join(each.ja for each in every))
    return fixed_text(message("jobs.brackets", text=joined))


def value_list(items: Iterable[Value], limit: int = MAX_STORED_ITEMS, unit: Text | None = None) -> ValueList:
    """Return the items as a list of which at most `limit` are stored."""
    every = tuple(items)
    return ValueList(every[:limit], (1,) * min(len(every), limit), len(every), unit)


def optional_list(items: Iterable[Value], unit: Text | None = None) -> Value:
    """Return the items as a list, or no value for an empty list."""
    found = value_list(items, unit=unit)
    return found if found.total else NoValue()


def counted(number: int, unit: str) -> Quantity:
    """Return a number with its unit, a message with a singular and a plural."""
    return Quantity(str(number), message(unit, count=number).both())


def people_count(number: int) -> Quantity:
    return counted(number, "jobs_users.people_unit")


def optional_count(number: int, unit: str) -> Value:
    """Return a number with its unit, or no value for 0."""
    return counted(number, unit) if number else NoValue()


def build_job_question(
    spec: JobSpec, plan: Plan, place: Destination, requester: Principal, *, catalogue: Catalogue, reason: str = ""
) -> Question:
    """Return the question of a job. Its warnings include the effects of the operations in the plan."""
    name, calls = plan.target or place.saas_id, Counter(step.operation for step in plan.steps)
    return Question(
        tool=spec.name,
        headline=plan.headline or spec.title,
        name=name,
        place=place,
        requester=requester.id,
        requester_name=requester.person.label,
        facts=tuple(fact for fact in (*plan.volatile_facts, *plan.facts) if not isinstance(fact.value, NoValue)),
        changes=plan.changes,
        reach=plan.impact,
        warnings=(*plan.warnings, *_effect_warnings(plan, catalogue)),
        undo=plan.undo,
        reason=reason,
        typed=plan.typed or Text(name, name),
        details=(*(Detail(catalogue.find(key).tool, str(count)) for key, count in calls.items()), *plan.details),
    )


def requires_typed_count(plan: Plan, question: Question) -> bool:
    """Return whether typing the count is enough although ordinary facts are cut short in the question."""
    ordinary = {fact.label for fact in plan.facts if fact.name in plan.ordinary_facts}
    hidden = hidden_labels(question)
    return plan.typed is not None and bool(hidden) and ordinary.issuperset(hidden)


def format_notes(facts: tuple[Fact, ...]) -> tuple[Text, ...]:
    """Return the facts as notes of a report, a line each."""
    return tuple(Text(render_body(fact, Reader.of("en")), render_body(fact, Reader.of("ja"))) for fact in facts)


def _effect_warnings(plan: Plan, catalogue: Catalogue) -> Iterator[QuestionWarning]:
    """Yield warnings about money, e-mail and other systems, except those that the plan has itself."""
    known = {warning.kind for warning in plan.warnings}
    effects = [catalogue.find(key).effects for key in dict.fromkeys(step.operation for step in plan.steps)]
    yield from (each for each in effect_warnings(effects) if each.kind == "outside" or each.kind not in known)
