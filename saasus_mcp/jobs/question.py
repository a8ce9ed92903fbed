"""What a person is asked before a job: what it would do, how often, where, and what follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from saasus_mcp.catalog import Catalogue
from saasus_mcp.catalog.jobs import JobSpec
from saasus_mcp.catalog.model import Text
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.wording import COUNTS
from saasus_mcp.permissions.proof import Place
from saasus_mcp.permissions.question.layout import hidden
from saasus_mcp.permissions.question.model import Detail, Fact, Notice, Number, Question


def question(spec: JobSpec, plan: Plan, place: Place, requester: str, catalogue: Catalogue) -> Question:
    """The question of a job."""
    name = plan.target or place.saas_id
    facts = tuple(
        Fact(count, Text(COUNTS["en"].get(count, count), COUNTS["ja"].get(count, count)), Number(str(number)))
        for count, number in plan.counts.items()
    )
    built = Question(
        tool=spec.name,
        headline=spec.title,
        name=name,
        place=place,
        requester=requester,
        facts=facts,
        warnings=tuple(Notice("consequence", line) for line in (*plan.lines, *plan.passing)),
        details=tuple(_details(plan, catalogue)),
    )
    return replace(built, hidden=hidden(built))


def _details(plan: Plan, catalogue: Catalogue) -> Iterator[Detail]:
    for key, count in Counter(entry.operation for entry in plan.entries).items():
        yield Detail(catalogue.find(key).tool, str(count))
