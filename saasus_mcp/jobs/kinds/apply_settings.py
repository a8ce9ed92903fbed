"""`job_apply_settings`: create, and update if requested, the settings of a document in the order of their references."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.common.text import Quoted
from saasus_mcp.jobs.job_context import GroupResult, JobContext, outcome_of
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.job_reader import JobReader
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.settings import settings_document, settings_question
from saasus_mcp.jobs.settings.settings_kinds import RESOURCES, SETTINGS_KINDS, TEXT_OPERATIONS
from saasus_mcp.jobs.settings.settings_plan import ItemReport, SettingsPlanner
from saasus_mcp.permissions.question.content import Detail

MAX_UNKNOWN_FIELDS = 10


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Compare the document with the current settings, and plan the differences."""
    saved = await settings_document.load_document(reader, args)
    kinds = [name for name in saved if name in args.get("kinds", RESOURCES)]
    planner = SettingsPlanner(reader, "document" if "document" in args else "result", update=bool(args.get("update")))
    for kind in kinds:
        if kind in TEXT_OPERATIONS:
            spec = SETTINGS_KINDS[kind]
            current: Any = await reader.read(spec.reads[""], take=spec.normalize)
            planner.add_texts(kind, saved[kind], current)
    planned = sorted((kind for kind in kinds if kind in RESOURCES), key=lambda kind: RESOURCES[kind].phase)
    for kind in planned:
        await planner.add_items(kind, saved[kind])
    planner.require_no_faults()
    only_plan = bool(args.get("only_plan"))
    actions = Counter(report["do"] for report in planner.reports)
    texts_not_named = tuple(name for name in TEXT_OPERATIONS if name in saved and name not in kinds)
    data = {
        "items": planner.reports,
        "phases": planner.phase_sizes,
        "needs": planner.dependencies,
        "not_applied": [name for name in saved if name not in RESOURCES and name not in TEXT_OPERATIONS],
        "unknown_fields": sorted(planner.unknown_fields)[:MAX_UNKNOWN_FIELDS],
        "texts_not_named": texts_not_named,
        "only_plan": only_plan,
    }
    skipped = [(item.kind, item.name, reason) for item, reason in planner.skipped]
    keys = {kind: SETTINGS_KINDS[kind].key for kind in planned}
    titles = {(kind, str(item[key])): _title(kind, item) for kind, key in keys.items() for item in saved[kind]}
    facts = tuple(settings_question.build_facts(planner.reports, skipped, titles))
    steps = [step for group in planner.groups for step in group.steps]
    return Plan(
        () if only_plan else tuple(planner.groups),
        data,
        {name: actions[name] for name in ("create", "update", "same", "leave")},
        headline=settings_question.build_headline(actions["create"], actions["update"]),
        facts=facts,
        changes=tuple(settings_question.build_changes(planner.changes)),
        undo=settings_question.build_undo(reader.find_operation(step.operation) for step in steps),
        details=tuple(Detail(step.step, compact_json(dict(step.args))) for step in steps),
        typed=message("jobs_settings.settings", count=actions["create"] + actions["update"]).both(),
        # A created setting replaces nothing. A change is shown in full or opened by the reader.
        ordinary_facts=tuple(fact.name for fact in facts),
    )


async def run(work: JobContext, plan: Plan) -> JobResult:
    """Apply the plan, and report the outcome of each item."""
    items: list[ItemReport] = plan.data["items"]
    notes = tuple(_notes(plan.data))
    if plan.data["only_plan"]:
        return JobResult(plan.counts, product=[item for item in items if item["do"] != "same"], notes=notes)
    results = await work.run_phases(plan.groups, plan.data["phases"], plan.data["needs"])
    rows = [_finished_row(item, results) for item in items]
    counts = Counter(row["outcome"] for row in rows)
    return JobResult(counts, [row for row in rows if row["do"] != "same"], notes=notes)


def _title(kind: str, item: Mapping[str, Any]) -> str:
    """Return what people call an item: its display name and its key."""
    name, shown = str(item[SETTINGS_KINDS[kind].key]), item.get("display_name")
    return f"{shown} ({name})" if isinstance(shown, str) and shown and shown != name else name


def _finished_row(item: ItemReport, results: Mapping[str, GroupResult]) -> ItemReport:
    if item["do"] in ("same", "leave"):
        return {**item, "outcome": "skipped"}
    return {**item, **outcome_of(results.get(f"{item['kind']} {item['name']}".rstrip()))}


def _notes(data: Mapping[str, Any]) -> list[Message]:
    """Return notes about the parts of the document that are not applied."""
    notes = [
        message(
            "jobs_settings.not_applied",
            kind=settings_document.kind_text(name),
            reason=one_of("jobs_settings.why_not_applied", name),
        )
        for name in data["not_applied"]
    ]
    notes += [
        message("jobs_settings.unknown_field", kind=settings_document.kind_text(kind), field=Quoted(name))
        for kind, name in data["unknown_fields"]
    ]
    if data["texts_not_named"]:
        names = data["texts_not_named"]
        kinds = tuple(
            message("jobs_settings.kind_code", kind=settings_document.kind_text(name), code=name) for name in names
        )
        notes.append(message("jobs_settings.texts_not_named", kinds=kinds))
    return notes
