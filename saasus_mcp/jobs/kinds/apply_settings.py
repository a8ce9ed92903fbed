"""`job_apply_settings`: what a SaaS lacks of a saved document is made, in the order in which one needs the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from saasus_mcp.jobs import settings
from saasus_mcp.jobs import settings_question as asked
from saasus_mcp.jobs.kind import Outcome
from saasus_mcp.jobs.making import LEFT, MAKERS, TEXTS
from saasus_mcp.jobs.phases import through
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.setting_up import SetUp, Told
from saasus_mcp.jobs.work import Done, Reader, Work
from saasus_mcp.saasus.words import quoted

MOST_SHOWN = 10


async def plan(reader: Reader, args: Mapping[str, Any]) -> Plan:
    """Hold the document to what is there."""
    saved = await settings.given(reader, args)
    kinds = [name for name in saved if name in args.get("kinds", MAKERS)]
    set_up = SetUp(reader, "document" if "document" in args else "result", update=bool(args.get("update")))
    for kind in kinds:
        if kind in TEXTS:
            of = settings.KINDS[kind]
            live: Any = await reader.read(of.reads[""], take=of.tidied)
            set_up.text(kind, saved[kind], live)
    for kind in sorted((kind for kind in kinds if kind in MAKERS), key=lambda kind: MAKERS[kind].phase):
        await set_up.take(kind, saved[kind])
    only = bool(args.get("only_plan"))
    does = Counter(told["do"] for told in set_up.told)
    data = {
        "items": set_up.told,
        "phases": set_up.phases,
        "needs": set_up.needs,
        "left": _left(saved, kinds, set_up.unknown),
        "only_plan": only,
    }
    counts = {name: does[name] for name in ("create", "update", "same", "leave")}
    left = [(item.kind, item.name, why) for item, why in set_up.left]
    rows = tuple(set_up.rows)
    facts = tuple(asked.facts(set_up.told, left))
    return Plan(
        () if only else rows,
        data,
        counts,
        headline=asked.headline(does["create"], does["update"]),
        facts=facts,
        changes=tuple(asked.changes(set_up.changed)),
        undo=asked.NOTHING_DELETED,
        details=tuple(asked.details([entry for row in rows for entry in row.entries])),
        typed=asked.typed(does["create"] + does["update"]),
        ordinary=tuple(
            fact.name for fact in facts
        ),  # what is created replaces nothing; what changes is shown or opened
    )


async def run(work: Work, plan: Plan) -> Outcome:
    """Make it, and tell of each item what became of it."""
    items: list[Told] = plan.data["items"]
    notes = tuple(plan.data["left"])
    if plan.data["only_plan"]:
        return Outcome(plan.counts, table=[item for item in items if item["do"] != "same"], notes=notes)
    done = await through(work, plan.rows, plan.data["phases"], plan.data["needs"])
    rows = [_became(item, done) for item in items]
    return Outcome(Counter(row["outcome"] for row in rows), [row for row in rows if row["do"] != "same"], notes=notes)


def _became(item: Told, done: Mapping[str, Done]) -> Told:
    if item["do"] in ("same", "leave"):
        return {**item, "outcome": "skipped"}
    each = done.get(f"{item['kind']} {item['name']}".rstrip())
    if each is None:
        return {**item, "outcome": "not_begun"}
    return {**item, "outcome": each.outcome, **({"why": each.said} if each.said else {})}


def _left(saved: Mapping[str, Any], kinds: Sequence[str], unknown: Iterable[tuple[str, str]]) -> list[str]:
    """What of the document is not applied, and why."""
    told = [f"{name} is not applied: {why}." for name, why in LEFT.items() if name in saved]
    texts = [name for name in TEXTS if name in saved and name not in kinds]
    told += [
        f"{kind} has a field that is not known here: {quoted(name)}." for kind, name in sorted(unknown)[:MOST_SHOWN]
    ]
    return [*told, *([f"Texts are applied only where kinds names them: {', '.join(texts)}."] if texts else [])]
