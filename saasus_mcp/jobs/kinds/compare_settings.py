"""`job_compare_settings`: a saved document against what is there now, or against another document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from saasus_mcp.jobs import settings
from saasus_mcp.jobs.difference import DIFFERS, ONLY_LATER, ONLY_SAVED, differences, in_words
from saasus_mcp.jobs.kind import Outcome
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.work import Reader, Work

MOST_WORDS = 40
OTHER = ("other_document", "other_result")


async def plan(reader: Reader, args: Mapping[str, Any]) -> Plan:
    """See that what is to be compared are documents of settings."""
    saved = await settings.given(reader, args)
    other = await settings.given(reader, args, *OTHER) if any(name in args for name in OTHER) else None
    return Plan(data={"saved": saved, "other": other, "kinds": settings.chosen(args.get("kinds"))})


async def run(work: Work, plan: Plan) -> Outcome:
    """What is different, in words and as records."""
    saved, later = plan.data["saved"], plan.data["other"]
    kinds, unread = [name for name in plan.data["kinds"] if name in saved], dict[str, str]()
    if later is None:
        later, unread = await settings.read(work, kinds, work.tell)
    compared = [name for name in kinds if name in later]
    pairs = {name: _both(name, saved[name], later[name]) for name in compared}
    found = [each for name, (before, after) in pairs.items() for each in differences(name, before, after)]
    counts = Counter(each["change"] for each in found)
    words = [in_words(each) for each in found[:MOST_WORDS]]
    if len(found) > MOST_WORDS:
        words.append(f"… and {len(found) - MOST_WORDS} more: see the records.")
    told = {name: counts[name] for name in (ONLY_SAVED, ONLY_LATER, DIFFERS)}
    return Outcome({"kinds": len(compared), **told}, table=found, notes=(*words, *_left(plan, compared, unread)))


def _both(name: str, saved: Any, later: Any) -> tuple[Any, Any]:
    """The two sides of a kind; of one that has parts, those that both have."""
    if "" in settings.KINDS[name].reads:
        return saved, later
    parts = [part for part in saved if part in later]
    return {part: saved[part] for part in parts}, {part: later[part] for part in parts}


def _left(plan: Plan, compared: list[str], unread: Mapping[str, str]) -> list[str]:
    """What the comparison says nothing about."""
    left = [name for name in plan.data["kinds"] if name not in compared]
    notes = [f"Not compared, as not on both sides: {', '.join(left)}."] if left else []
    notes += [f"{name} cannot be read: {why}" for name, why in unread.items()]
    return [*notes, "Secrets are not compared."]
