"""What a person reads before a job: what it would do, how often, where, and what follows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from saasus_mcp.catalog import Catalogue, Language
from saasus_mcp.catalog.jobs import JobSpec
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.wording import COUNTS, WORDS
from saasus_mcp.permissions.preview import LANGUAGES, consequences
from saasus_mcp.permissions.proof import Place, where


def previews(spec: JobSpec, plan: Plan, place: Place, catalogue: Catalogue) -> dict[Language, str]:
    """The preview in each language."""
    return {language: "\n".join(_lines(spec, plan, place, catalogue, language)) for language in LANGUAGES}


def _lines(spec: JobSpec, plan: Plan, place: Place, catalogue: Catalogue, language: Language) -> Iterator[str]:
    words = WORDS[language]
    yield f"{spec.title.get(language)} ({spec.name})"
    yield where(place, language)
    if plan.counts:
        yield words["counts"]
        yield from (f"  {COUNTS[language].get(name, name)}: {count}" for name, count in plan.counts.items())
    yield from (line.get(language) for line in (*plan.lines, *plan.passing))
    calls = Counter(entry.operation for entry in plan.entries)
    if calls:
        yield words["calls"].format(count=calls.total())
    follows: list[str] = []
    for key, count in calls.items():
        operation = catalogue.find(key)
        yield f"  {operation.title.get(language)} ({operation.tool}): {count}"
        follows += [line for line in consequences(operation.effects, language) if line not in follows]
    yield from follows
