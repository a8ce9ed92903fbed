"""`job_apply_settings`: what a SaaS lacks of a saved document is made, in the order in which one needs the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from saasus_mcp.common.text import quote_text
from saasus_mcp.jobs.job_context import GroupResult, JobContext, JobReader
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.job_phases import run_phases
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.settings import settings_document
from saasus_mcp.jobs.settings import settings_question as asked
from saasus_mcp.jobs.settings.settings_operations import NOT_APPLIED, RESOURCES, TEXT_OPERATIONS
from saasus_mcp.jobs.settings.settings_plan import ItemReport, SettingsPlanner

MAX_SHOWN = 10


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Hold the document to what is there."""
    saved = await settings_document.load_document(reader, args)
    kinds = [name for name in saved if name in args.get("kinds", RESOURCES)]
    set_up = SettingsPlanner(reader, "document" if "document" in args else "result", update=bool(args.get("update")))
    for kind in kinds:
        if kind in TEXT_OPERATIONS:
            of = settings_document.SETTINGS_KINDS[kind]
            live: Any = await reader.read(of.reads[""], take=of.normalize)
            set_up.add_texts(kind, saved[kind], live)
    for kind in sorted((kind for kind in kinds if kind in RESOURCES), key=lambda kind: RESOURCES[kind].phase):
        await set_up.add_items(kind, saved[kind])
    only = bool(args.get("only_plan"))
    does = Counter(told["do"] for told in set_up.reports)
    data = {
        "items": set_up.reports,
        "phases": set_up.phase_sizes,
        "needs": set_up.dependencies,
        "left": _left(saved, kinds, set_up.unknown_fields),
        "only_plan": only,
    }
    counts = {name: does[name] for name in ("create", "update", "same", "leave")}
    left = [(item.kind, item.name, why) for item, why in set_up.skipped]
    rows = tuple(set_up.groups)
    facts = tuple(asked.build_facts(set_up.reports, left))
    return Plan(
        () if only else rows,
        data,
        counts,
        headline=asked.build_headline(does["create"], does["update"]),
        facts=facts,
        changes=tuple(asked.build_changes(set_up.changes)),
        undo=asked.NOTHING_DELETED,
        details=tuple(asked.build_details([entry for row in rows for entry in row.steps])),
        typed=asked.typed_text(does["create"] + does["update"]),
        ordinary_facts=tuple(
            fact.name for fact in facts
        ),  # what is created replaces nothing; what changes is shown or opened
    )


async def run(work: JobContext, plan: Plan) -> JobResult:
    """Make it, and tell of each item what became of it."""
    items: list[ItemReport] = plan.data["items"]
    notes = tuple(plan.data["left"])
    if plan.data["only_plan"]:
        return JobResult(plan.counts, product=[item for item in items if item["do"] != "same"], notes=notes)
    done = await run_phases(work, plan.groups, plan.data["phases"], plan.data["needs"])
    rows = [_became(item, done) for item in items]
    return JobResult(Counter(row["outcome"] for row in rows), [row for row in rows if row["do"] != "same"], notes=notes)


def _became(item: ItemReport, done: Mapping[str, GroupResult]) -> ItemReport:
    if item["do"] in ("same", "leave"):
        return {**item, "outcome": "skipped"}
    each = done.get(f"{item['kind']} {item['name']}".rstrip())
    if each is None:
        return {**item, "outcome": "not_begun"}
    return {**item, "outcome": each.outcome, **({"why": each.text} if each.text else {})}


def _left(saved: Mapping[str, Any], kinds: Sequence[str], unknown: Iterable[tuple[str, str]]) -> list[str]:
    """What of the document is not applied, and why."""
    told = [f"{name} is not applied: {why}." for name, why in NOT_APPLIED.items() if name in saved]
    texts = [name for name in TEXT_OPERATIONS if name in saved and name not in kinds]
    told += [
        f"{kind} has a field that is not known here: {quote_text(name)}." for kind, name in sorted(unknown)[:MAX_SHOWN]
    ]
    return [*told, *([f"Texts are applied only where kinds names them: {', '.join(texts)}."] if texts else [])]
