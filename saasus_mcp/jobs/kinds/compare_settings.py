"""`job_compare_settings`: the differences of a saved document from the current settings, or from another document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from saasus_mcp.common.messages import Message, message
from saasus_mcp.jobs.job_context import JobContext
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.job_reader import JobReader
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.settings import settings_document
from saasus_mcp.jobs.settings.settings_document import (
    DIFFERS,
    ONLY_LATER,
    ONLY_SAVED,
    describe_difference,
    find_differences,
)
from saasus_mcp.jobs.settings.settings_kinds import SETTINGS_KINDS

MAX_NOTES = 40
OTHER_ARGUMENTS = ("other_document", "other_result")


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Validate the documents."""
    saved = await settings_document.load_document(reader, args)
    has_other = any(name in args for name in OTHER_ARGUMENTS)
    other = await settings_document.load_document(reader, args, *OTHER_ARGUMENTS) if has_other else None
    return Plan(data={"saved": saved, "other": other, "kinds": settings_document.select_kinds(args.get("kinds"))})


async def run(work: JobContext, plan: Plan) -> JobResult:
    """Report the differences as sentences and as records."""
    saved, later = plan.data["saved"], plan.data["other"]
    kinds, unread = [name for name in plan.data["kinds"] if name in saved], dict[str, Message]()
    if later is None:
        later, unread = await settings_document.read_saas_settings(work, kinds)
    compared = [name for name in kinds if name in later]
    differences = [
        each for name in compared for each in find_differences(name, *_common_parts(name, saved[name], later[name]))
    ]
    counts = Counter(each["change"] for each in differences)
    sentences = [describe_difference(each) for each in differences[:MAX_NOTES]]
    if len(differences) > MAX_NOTES:
        sentences.append(message("jobs_settings.more_differences", count=len(differences) - MAX_NOTES))
    return JobResult(
        {"kinds": len(compared), **{name: counts[name] for name in (ONLY_SAVED, ONLY_LATER, DIFFERS)}},
        product=differences,
        notes=(*sentences, *_exclusions(plan, compared, unread)),
    )


def _common_parts(name: str, saved: Any, later: Any) -> tuple[Any, Any]:
    """Return the two sides of a kind. Of a kind with parts, return the parts that both sides have."""
    if "" in SETTINGS_KINDS[name].reads:
        return saved, later
    parts = [part for part in saved if part in later]
    return {part: saved[part] for part in parts}, {part: later[part] for part in parts}


def _exclusions(plan: Plan, compared: Sequence[str], unread: Mapping[str, Message]) -> list[Message]:
    """Return notes about everything that was not compared."""
    missing = tuple(settings_document.kind_text(name) for name in plan.data["kinds"] if name not in compared)
    notes = [message("jobs_settings.not_compared", kinds=missing)] if missing else []
    notes += [
        message("jobs_settings.unreadable", part=settings_document.kind_text(part), reason=reason)
        for part, reason in unread.items()
    ]
    return [*notes, message("jobs_settings.secrets_not_compared")]
