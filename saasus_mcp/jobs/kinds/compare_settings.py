"""`job_compare_settings`: a saved document against what is there now, or against another document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from saasus_mcp.jobs.job_context import JobContext, JobReader
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.settings import settings_document
from saasus_mcp.jobs.settings.settings_diff import (
    DIFFERS,
    ONLY_LATER,
    ONLY_SAVED,
    describe_difference,
    find_differences,
)

MAX_NOTES = 40
OTHER_ARGUMENTS = ("other_document", "other_result")


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """See that what is to be compared are documents of settings."""
    saved = await settings_document.load_document(reader, args)
    other = (
        await settings_document.load_document(reader, args, *OTHER_ARGUMENTS)
        if any(name in args for name in OTHER_ARGUMENTS)
        else None
    )
    return Plan(data={"saved": saved, "other": other, "kinds": settings_document.select_kinds(args.get("kinds"))})


async def run(work: JobContext, plan: Plan) -> JobResult:
    """What is different, in words and as records."""
    saved, later = plan.data["saved"], plan.data["other"]
    kinds, unread = [name for name in plan.data["kinds"] if name in saved], dict[str, str]()
    if later is None:
        later, unread = await settings_document.read_saas_settings(work, kinds, work.report_progress)
    compared = [name for name in kinds if name in later]
    pairs = {name: _both(name, saved[name], later[name]) for name in compared}
    found = [each for name, (before, after) in pairs.items() for each in find_differences(name, before, after)]
    counts = Counter(each["change"] for each in found)
    words = [describe_difference(each) for each in found[:MAX_NOTES]]
    if len(found) > MAX_NOTES:
        words.append(f"… and {len(found) - MAX_NOTES} more: see the records.")
    told = {name: counts[name] for name in (ONLY_SAVED, ONLY_LATER, DIFFERS)}
    return JobResult({"kinds": len(compared), **told}, product=found, notes=(*words, *_left(plan, compared, unread)))


def _both(name: str, saved: Any, later: Any) -> tuple[Any, Any]:
    """The two sides of a kind; of one that has parts, those that both have."""
    if "" in settings_document.SETTINGS_KINDS[name].reads:
        return saved, later
    parts = [part for part in saved if part in later]
    return {part: saved[part] for part in parts}, {part: later[part] for part in parts}


def _left(plan: Plan, compared: list[str], unread: Mapping[str, str]) -> list[str]:
    """What the comparison says nothing about."""
    left = [name for name in plan.data["kinds"] if name not in compared]
    notes = [f"Not compared, as not on both sides: {', '.join(left)}."] if left else []
    notes += [f"{name} cannot be read: {why}" for name, why in unread.items()]
    return [*notes, "Secrets are not compared."]
