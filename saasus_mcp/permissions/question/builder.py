"""Build the question of one call from its target, impact and changes."""

from __future__ import annotations

import string
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from saasus_mcp.catalog.model import Effects
from saasus_mcp.catalog.question_texts import QuestionLine, QuestionTexts, load_question_texts
from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.language import Text
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.permissions.inspection.impact import TARGET_UNREADABLE
from saasus_mcp.permissions.inspection.inverse_calls import loses_nothing, undo_class
from saasus_mcp.permissions.inspection.target import ApiReader, clean_name, is_whole_name
from saasus_mcp.permissions.question.content import (
    SYSTEMS,
    Change,
    Detail,
    Fact,
    NamedItem,
    NoValue,
    Question,
    QuestionWarning,
    Sentence,
    UnreadableValue,
)
from saasus_mcp.permissions.question.facts import CollectedFacts, QuestionInput
from saasus_mcp.permissions.question.formatting import is_shown_whole, read_error
from saasus_mcp.permissions.question.name_resolver import NameResolver
from saasus_mcp.permissions.question.values import distance_from

MAX_LEAD = 2
LONG_NAME = "target name"
"""The fact and the detail for a name that is too long for the headline. No argument can have this name."""


async def build_question(asked: QuestionInput, read: ApiReader) -> Question:
    """Build the question, with all names read from the API."""
    table = load_question_texts()
    builder = _QuestionBuilder(asked, table, NameResolver(table.kinds, asked))
    built = builder.build()
    if builder.names.unresolved:
        await builder.names.resolve(read)
        built = builder.build()
    return built


def build_unresolved(asked: QuestionInput, names: NameResolver) -> Question:
    """Build the question without a read: ids whose names are not known stay ids."""
    return _QuestionBuilder(asked, load_question_texts(), names).build()


def effect_warnings(effects: Collection[Effects]) -> Iterator[QuestionWarning]:
    """Yield the warnings that follow from the effects of the calls: money, e-mail, connected systems."""
    money, email = {each.money for each in effects}, {each.email for each in effects}
    if money - {"no"}:
        yield QuestionWarning("money", one_of("question.money", "yes" if "yes" in money else "maybe").both())
    if email - {"no"}:
        yield QuestionWarning("email", one_of("question.email", "yes" if "yes" in email else "maybe").both())
    if systems := tuple(dict.fromkeys(SYSTEMS[name] for each in effects for name in each.outside)):
        yield QuestionWarning("outside", message("question.outside", systems=systems).both())


class _QuestionBuilder:
    """Builds one question.

    Attributes:
        collected: the facts and changes, of which the question shows some.
        headlines, warnings: the lines whose condition holds.
    """

    def __init__(self, asked: QuestionInput, table: QuestionTexts, names: NameResolver) -> None:
        inspection = asked.inspection
        self.asked = asked
        self.names = names
        self.collected = CollectedFacts(asked, table, names)
        self.row = self.collected.row
        unread = inspection.is_early and inspection.before is None
        self.undo_class = undo_class(asked, {} if unread else inspection.before, asked.now)
        self.loses_nothing = loses_nothing(asked, {} if unread else inspection.before, asked.now)
        self.headlines = [line for line in self.row.ask if self.collected.holds(line)]
        self.warnings = [line for line in self.row.warn if self.collected.holds(line)]

    def build(self) -> Question:
        operation, inspection, row = self.asked.operation, self.asked.inspection, self.row
        facts, changes = self.collected.facts(), self.collected.changes()
        asked_as = self._asked_as(facts)
        long = {
            name for name in self._placeholders(asked_as) if name in facts and not is_shown_whole(facts[name].value)
        }
        said = (
            self._placeholders(asked_as) | self._warned_metrics()
        ) - long  # a headline has no room for all of a list
        facts |= self._long_name()
        compared = {change.name.split(".", 1)[0] for change in changes} | self.collected.compared()
        left = {
            name: fact
            for name, fact in facts.items()
            if name not in said
            and (name in long or name not in self._hidden())
            and name not in compared
            and not self._says_nothing(fact)
        }
        known = [name for name in row.lead if name in facts and name not in self._unseen()]
        lead = [name for name in known if name not in said and name not in compared]
        weighed = dict.fromkeys([*(name for name in row.show if name in left), *left])
        if not row.lead and not changes:
            lead = list(weighed)[:MAX_LEAD]
        ordered = dict.fromkeys([*lead, *weighed])
        reach = {name for name in ordered if name not in lead and self.collected.measured(name).reach}
        return Question(
            tool=operation.tool,
            headline=self._headline(asked_as, facts),
            name=inspection.snapshot.name,
            place=self.asked.destination,
            requester=self.asked.requester,
            requester_name=self.asked.requester_name,
            facts=tuple(replace(facts[name], lead=name in lead) for name in ordered if name not in reach),
            changes=self._led(changes, MAX_LEAD - len(lead)),
            reach=tuple(facts[name] for name in ordered if name in reach),
            warnings=tuple(self._warnings(facts)),
            undo=self._undo() if self.undo_class == "undoable" else None,
            reason=self.asked.reason,
            typed=Text(inspection.snapshot.name, inspection.snapshot.name) if self.asked.typed else None,
            details=tuple(self._details()),
        )

    def _long_name(self) -> dict[str, Fact]:
        """Return the fact that stands for the target's name if the headline does not have all of it."""
        snapshot = self.asked.inspection.snapshot
        if is_whole_name(snapshot.name):
            return {}
        return {LONG_NAME: Fact(LONG_NAME, message("question.long_name").both(), NamedItem(snapshot.name))}

    @staticmethod
    def _led(changes: Sequence[Change], most: int) -> tuple[Change, ...]:
        led = [change for change in changes if change.effect != "unknown"][: max(0, most)]
        return tuple(replace(change, lead=change in led) for change in changes)

    def _hidden(self) -> set[str]:
        """Return the fields for the details only. A change that a metric shows is listed as sent if there is no comparison, and
        so are the ids of a target that could not be read, without the one that stands for its name.
        """
        operation, inspection = self.asked.operation, self.asked.inspection
        recipe, target = operation.effects.diff, operation.effects.target
        told = set(recipe.now) if recipe is not None and inspection.before is None else set()
        if target is not None and inspection.snapshot.read_error:
            ids, name = (*operation.path_parameters, *target.identifying), inspection.snapshot.name
            told.update(each for each in ids if clean_name(self.asked.arguments.get(each)) != name)
        return set(self.row.hide) - told

    def _unseen(self) -> set[str]:
        """Return the metrics of an unreadable target, which one warning covers."""
        findings = self.asked.inspection.impact.findings
        return {found.name for found in findings if found.read_error == TARGET_UNREADABLE.read_error}

    def _says_nothing(self, fact: Fact) -> bool:
        """Return whether the fact is an empty metric or argument."""
        if isinstance(fact.value, NoValue):
            return True
        measure = next((each for each in self.asked.inspection.impact.findings if each.name == fact.name), None)
        return measure is not None and not measure.read_error and measure.value in (0, False, ())

    def _asked_as(self, facts: Mapping[str, Fact]) -> QuestionLine | None:
        """Return the first matching headline whose values are all known, or the first matching one."""
        unknown = {name for name, fact in facts.items() if isinstance(fact.value, NoValue | UnreadableValue)}
        known = facts.keys() | {"target"}
        lines = [line for line in self.headlines if self._placeholders(line) <= known]
        return next((line for line in lines if not self._placeholders(line) & unknown), lines[0] if lines else None)

    @staticmethod
    def _placeholders(line: QuestionLine | None) -> set[str]:
        if line is None:
            return set()
        return {name for _, name, _, _ in string.Formatter().parse(line.text.en) if name}

    def _headline(self, line: QuestionLine | None, facts: Mapping[str, Fact]) -> Text | Sentence:
        if line is None:
            title = self.asked.operation.title
            return self._filled(Text(f"{title.en}: {{target}}", f"{title.ja}: {{target}}"), facts)
        return self._filled(line.text, facts)

    def _filled(self, text: Text, facts: Mapping[str, Fact]) -> Text | Sentence:
        known = {name: fact.value for name, fact in facts.items()} | {
            "target": NamedItem(self.asked.inspection.snapshot.name)
        }
        used = {name for _, name, _, _ in string.Formatter().parse(text.en + text.ja) if name}
        return Sentence(text, tuple((name, known[name]) for name in sorted(used) if name in known)) if used else text

    def _warnings(self, facts: Mapping[str, Fact]) -> Iterator[QuestionWarning]:
        effects, snapshot = self.asked.operation.effects, self.asked.inspection.snapshot
        if snapshot.read_error:
            why = read_error(snapshot.read_error)
            yield QuestionWarning("unseen", message("question.target_unread", why=why).both())
        for line in self.warnings:
            yield QuestionWarning("consequence", self._filled(line.text, facts))
        for fact in facts.values():
            if fact.name in self.asked.arguments and (distance := distance_from(self.asked.now, fact.value)):
                yield QuestionWarning("consequence", one_of("question.far", distance, label=fact.label).both())
        if effects.say is not None:
            yield QuestionWarning("consequence", effects.say)
        if effects.undo is not None and self.undo_class != "undoable":
            yield QuestionWarning("recreate" if self.undo_class == "recreatable" else "irreversible", self._undo())
        yield from effect_warnings([effects])

    def _warned_metrics(self) -> set[str]:
        """Return the metrics that a warning states: no fact repeats them."""
        measured = {found.name for found in self.asked.inspection.impact.findings}
        return {name for line in self.warnings for name in self._placeholders(line) & measured}

    def _undo(self) -> Text:
        """Return whether the call can be undone, and what does not come back."""
        undo = self.asked.operation.effects.undo
        if undo is None or (undo.kind == "undoable" and self.undo_class == "lost"):
            return one_of("question.undo", "lost").both()
        if undo.kind == "undoable" and undo.call is None and undo.note is not None:
            return undo.note
        approved = undo.critical and self.undo_class in ("undoable", "partly")
        said = one_of("question.undo", f"{self.undo_class}_approved" if approved else self.undo_class).both()
        return (
            said
            if undo.note is None or self.loses_nothing
            else Text(f"{said.en} {undo.note.en}", f"{said.ja}{undo.note.ja}")
        )

    def _details(self) -> Iterator[Detail]:
        operation = self.asked.operation
        yield Detail("tool", operation.tool)
        yield Detail("request", f"{operation.method} {operation.path}")
        yield from (
            Detail(name, value if isinstance(value, str) else compact_json(value))
            for name, value in self.collected.shown.items()
        )
        if self.asked.inspection.snapshot.long_name:
            yield Detail(LONG_NAME, self.asked.inspection.snapshot.long_name)
