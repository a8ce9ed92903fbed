"""What a careful operator looks at before somebody leaves, and what became of each step afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from saasus_mcp.catalog.model import Text
from saasus_mcp.jobs.kind import Outcome
from saasus_mcp.jobs.phases import through
from saasus_mcp.jobs.plan import Entry, Plan, Row
from saasus_mcp.jobs.work import Reader, Unreadable, Work
from saasus_mcp.saasus.words import quoted


@dataclass(slots=True)
class Checklist:
    """Collects what was found and what is to be done about it.

    Attributes:
        found: what was found.
        passing: of this, what may change while a person thinks.
        phases: the rows, in phases: each is begun only if everything in those before was done.
        records: what of it is too much for a line.
    """

    found: list[Text] = field(default_factory=list)
    passing: list[Text] = field(default_factory=list)
    phases: list[list[Row]] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)

    def say(self, en: str, ja: str) -> None:
        """Note a finding."""
        self.found.append(Text(en, ja))

    async def look(
        self, reader: Reader, key: str, args: Mapping[str, Any], what: Text, say: Callable[[Any], Text]
    ) -> None:
        """Note what a read tells; where it fails, that it is not known."""
        try:
            given: Any = await reader.read(key, args)
        except Unreadable:
            self.say(f"{what.en}: not known, it cannot be read.", f"{what.ja}: 確認できませんでした。")
        else:
            told = say(given)
            self.say(f"{what.en}: {told.en}", f"{what.ja}: {told.ja}")

    def step(self, phase: int, step: str, operation: str, args: Mapping[str, Any], name: str) -> None:
        """Plan a call, in a row of its own."""
        while len(self.phases) <= phase:
            self.phases.append([])
        self.phases[phase].append(Row(name, (Entry(step, operation, args),)))

    def plan(self, target: str, counts: Mapping[str, int], *, only: bool, then: Sequence[str] = ()) -> Plan:
        """The plan of it.

        Args:
            target: the name to type.
            only: whether nothing is to be done.
            then: what is left to do when it is over.
        """
        rows = [row for phase in self.phases for row in phase]
        data = {
            "phases": [len(phase) for phase in self.phases],
            "steps": [row.name for row in rows],
            "only": only,
            "records": self.records,
            "then": [*then],
        }
        return Plan(() if only else tuple(rows), data, counts, tuple(self.found), tuple(self.passing), target=target)


async def run(work: Work, plan: Plan) -> Outcome:
    """Make the steps, phase by phase; then what became of each, and what had been found."""
    data = plan.data
    found = tuple(text.en for text in (*plan.lines, *plan.passing))
    if data["only"] or not plan.rows:
        steps = [{"step": name, "outcome": "planned"} for name in data["steps"]]
        return Outcome(plan.counts, steps, data["records"] or None, notes=(*found, *data["then"]))
    done = await through(work, plan.rows, data["phases"], _needs(plan))
    rows = [_became(row.name, done) for row in plan.rows]
    counts = {name: sum(row["outcome"] == name for row in rows) for name in {row["outcome"] for row in rows}}
    over = set(counts) == {"applied"}
    left = (
        [] if over else ["Not all of it was done. Call again: what is done stays done, and the rest is planned anew."]
    )
    notes = (*found, *(data["then"] if over else left))
    return Outcome(dict(sorted(counts.items())), rows, data["records"] or None, notes=notes)


def _needs(plan: Plan) -> dict[str, list[str]]:
    """That each row needs all of the phases before its own."""
    needs: dict[str, list[str]] = {}
    before: list[str] = []
    start = 0
    for count in plan.data["phases"]:
        phase = [row.name for row in plan.rows[start : start + count]]
        needs.update({name: [*before] for name in phase})
        before += phase
        start += count
    return needs


def _became(name: str, done: Mapping[str, Any]) -> dict[str, Any]:
    each = done.get(name)
    if each is None:
        return {"step": name, "outcome": "not_begun"}
    return {"step": name, "outcome": each.outcome, **({"why": each.said} if each.said else {})}


def listed(names: Sequence[str], most: int = 10) -> Text:
    """Names in a line, the first of them."""
    more = len(names) - most
    return Text(
        ", ".join(quoted(name) for name in names[:most]) + (f" and {more} more" if more > 0 else ""),
        "、".join(quoted(name, "ja") for name in names[:most]) + (f" ほか{more}件" if more > 0 else ""),
    )


def counted(count: int) -> Text:
    """A number, or none."""
    return Text(str(count) if count else "none", f"{count}件" if count else "なし")
