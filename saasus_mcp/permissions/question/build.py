"""Building the question of one call: from what was seen of its target, how far it reaches, and what it would change."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from saasus_mcp.catalog.confirmations import Confirmations, Field, Line, Measured, Row, load
from saasus_mcp.catalog.expressions import value as evaluated
from saasus_mcp.catalog.model import Operation, Text
from saasus_mcp.permissions.difference import difference
from saasus_mcp.permissions.impact import NOT_SEEN, Finding
from saasus_mcp.permissions.proof import Place
from saasus_mcp.permissions.question import difference as differing
from saasus_mcp.permissions.question import words
from saasus_mcp.permissions.question.formatting import why_not
from saasus_mcp.permissions.question.layout import fitted
from saasus_mcp.permissions.question.model import (
    Absent,
    Change,
    Detail,
    Fact,
    Named,
    Notice,
    Number,
    Phrase,
    Question,
    Unread,
    Value,
)
from saasus_mcp.permissions.question.names import Names
from saasus_mcp.permissions.question.values import Values, decimal, quoted_label
from saasus_mcp.permissions.reversal import can_undo
from saasus_mcp.permissions.survey import Survey
from saasus_mcp.permissions.target import Read, shown_arguments
from saasus_mcp.saasus.answer import compact
from saasus_mcp.saasus.words import without_nul

SAID_OTHERWISE = frozenset({"HTTP 404", NOT_SEEN.why_not})
"""Reasons that are no news: the API says that there is nothing, or the target could not be read, which is a warning."""
MOST_LEAD = 2
EMPTY_ROW = Row(ask=())


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question is about.

    Attributes:
        args: the arguments, checked.
        requester: id of the principal.
        reason: why, in the requester's own words.
        typed: whether the yes is given by typing the target's name.
    """

    operation: Operation
    args: Mapping[str, Any]
    place: Place
    requester: str
    survey: Survey
    reason: str = ""
    typed: bool = False


async def question(asked: Asked, read: Read) -> Question:
    """Build the question, with the names of all things that it mentions read from the API."""
    table = load()
    builder = _Builder(asked, table, Names(table.kinds, asked.args))
    built = builder.build()
    if builder.names.wanted:
        await builder.names.read(read)
        built = builder.build()
    return built


def build(asked: Asked, lead: tuple[Text, ...] = ()) -> Question:
    """Build the question with ids in the place of names that only a read would give.

    Args:
        lead: why it is asked again.
    """
    table = load()
    return fitted(replace(_Builder(asked, table, Names(table.kinds, asked.args)).build(), lead=lead))


@dataclass(slots=True)
class _Builder:
    asked: Asked
    table: Confirmations
    names: Names

    @property
    def row(self) -> Row:
        return self.table.rows.get(self.asked.operation.key, EMPTY_ROW)

    @property
    def shown(self) -> dict[str, Any]:
        """The arguments with secrets hidden."""
        return shown_arguments(self.asked.operation, self.asked.args)

    def build(self) -> Question:
        operation, survey, row = self.asked.operation, self.asked.survey, self.row
        self._know_target()
        facts = {fact.name: fact for fact in (*self._arguments(), *self._findings())}
        changes = self._ranked(self._changes())
        asked_as = self._asked_as(facts)
        said = self._placeholders(asked_as)
        compared = {change.name.split(".", 1)[0] for change in changes} | self._compared()
        left = {
            name: fact
            for name, fact in facts.items()
            if name not in said and name not in self._hidden() and name not in compared and not self._says_nothing(fact)
        }
        known = [name for name in row.lead if name in facts and name not in self._unseen()]
        lead = [name for name in known if name not in said and name not in compared]
        weighed = dict.fromkeys([*(name for name in row.show if name in left), *left])
        if not row.lead and not changes:
            lead = list(weighed)[:MOST_LEAD]
        ordered = dict.fromkeys([*lead, *weighed])
        reach = {name for name in ordered if name not in lead and self._measured(name).reach}
        built = Question(
            tool=operation.tool,
            headline=self._headline(asked_as, facts),
            name=survey.sight.name,
            place=self.asked.place,
            requester=self.asked.requester,
            facts=tuple(replace(facts[name], lead=name in lead) for name in ordered if name not in reach),
            changes=self._led(changes, MOST_LEAD - len(lead)),
            reach=tuple(facts[name] for name in ordered if name in reach),
            warnings=tuple(self._warnings(facts)),
            undo=self._undo() if self._can_undo() else None,
            reason=self.asked.reason,
            typed=Text(survey.sight.name, survey.sight.name) if self.asked.typed else None,
            details=tuple(self._details()),
        )
        return fitted(built)

    def _know_target(self) -> None:
        """Take the target's name for the thing that its read names, so that it is not read twice."""
        target, args = self.asked.operation.effects.target, self.asked.args
        if target is None or target.read is None or self.asked.survey.sight.why_not:
            return
        for argument in self.asked.operation.path_parameters:
            kind = self._field(argument).kind
            known = self.table.kinds.get(kind)
            if known is not None and known.read == target.read and f"args.{argument}" in target.args.values():
                self.names.know(kind, args.get(argument), self.asked.survey.sight.name)

    def _field(self, path: str) -> Field:
        """The words for a field. The keys of a map may be ids as well, as those of attributes are."""
        key, (above, _, last) = self.asked.operation.key, path.rpartition(".")
        kind = self.table.field(key, above).keys if above else ""
        if not kind:
            return self.table.field(key, path)
        name = self.names.of(kind, last) if kind in self.table.kinds else None
        return Field(quoted_label(name.name if isinstance(name, Named) else last))

    def _values(self) -> Values:
        return Values(self._field, self.names.of, frozenset(self.table.kinds))

    def _measured(self, name: str) -> Measured:
        return self.table.measures.get(name, Measured())

    def _arguments(self) -> Iterator[Fact]:
        """What is sent, an argument each."""
        shown = self.shown
        for name in self.asked.operation.input_schema["properties"]:
            if name in shown:
                field = self._field(name)
                yield Fact(name, field.label, self._values().of(shown[name], field, name, shown))

    def _findings(self) -> Iterator[Fact]:
        """How far it reaches, a measure each."""
        for found in self.asked.survey.impact.findings:
            yield Fact(found.name, found.label, self._found(found))

    def _found(self, found: Finding) -> Value:
        if found.why_not:
            return Absent() if found.why_not in SAID_OTHERWISE else Unread(found.why_not)
        measured = self._measured(found.name)
        field = Field(found.label, measured.kind, "", measured.choices, measured.unit, measured.pairs)
        if isinstance(found.value, int) and not isinstance(found.value, bool):
            return Number(decimal(found.value), measured.unit)
        return self._values().of(found.raw, field, found.name)

    def _compared(self) -> set[str]:
        """Arguments that the question shows as changes, or that would change nothing."""
        recipe, survey = self.asked.operation.effects.diff, self.asked.survey
        if recipe is None or survey.before is None:
            return set()
        return {name for name in recipe.now if name in self.asked.args}

    def _changes(self) -> Iterator[Change]:
        operation, survey = self.asked.operation, self.asked.survey
        found = difference(operation, self.asked.args, survey.before) or ()
        beside_before, beside_after = self._present(), self.shown
        for change in found:
            if change.field.split(".", 1)[0] in self.row.hide:
                continue
            field = self._field(change.field)
            before, after = differing.pair(change.before, change.after, field)
            make = self._values()
            yield Change(
                change.field,
                field.label,
                make.of(before, field, change.field, beside_before),
                make.of(after, field, change.field, beside_after),
                "change" if change.effect == "unshown" else change.effect,
            )

    def _present(self) -> dict[str, Any]:
        """What the arguments are now: an amount is in the currency that it had, not in the one that is sent."""
        recipe = self.asked.operation.effects.diff
        given = {"args": dict(self.asked.args), "result": self.asked.survey.before}
        return {name: evaluated(text, given) for name, text in recipe.now.items()} if recipe is not None else {}

    def _ranked(self, changes: Iterable[Change]) -> tuple[Change, ...]:
        """The changes in the row's order of weight; those that it does not name in the order of the document."""
        weights = {name: at for at, name in enumerate((*self.row.lead, *self.row.show))}
        return tuple(sorted(changes, key=lambda change: weights.get(change.name.split(".", 1)[0], len(weights))))

    @staticmethod
    def _led(changes: Sequence[Change], most: int) -> tuple[Change, ...]:
        led = [change for change in changes if change.effect != "unknown"][: max(0, most)]
        return tuple(replace(change, lead=change in led) for change in changes)

    def _hidden(self) -> set[str]:
        """What stands in the details alone. A change that measures tell is shown as it is sent where nothing is there to compare."""
        recipe = self.asked.operation.effects.diff
        told = recipe.now if recipe is not None and self.asked.survey.before is None else {}
        return set(self.row.hide) - set(told)

    def _unseen(self) -> set[str]:
        """Measures that rest on a target which could not be seen: a warning says so once."""
        findings = self.asked.survey.impact.findings
        return {found.name for found in findings if found.why_not == NOT_SEEN.why_not}

    def _says_nothing(self, fact: Fact) -> bool:
        """Whether it is a measure that found nothing, or an argument that is left empty."""
        if isinstance(fact.value, Absent):
            return True
        measure = next((each for each in self.asked.survey.impact.findings if each.name == fact.name), None)
        return measure is not None and not measure.why_not and measure.value in (0, False, ())

    def _asked_as(self, facts: Mapping[str, Fact]) -> Line | None:
        """The headline: the first that holds and of which everything is known, or else the first that holds."""
        unknown = {name for name, fact in facts.items() if isinstance(fact.value, Absent | Unread)}
        lines = [line for line in self.row.ask if self._holds(line)]
        return next((line for line in lines if not self._placeholders(line) & unknown), lines[0] if lines else None)

    def _holds(self, line: Line) -> bool:
        survey = self.asked.survey
        given = {
            "args": without_nul(dict(self.asked.args)),
            "target": survey.sight.target,
            "before": without_nul(survey.before),
        }
        return not line.when or evaluated(line.when, given) is True

    @staticmethod
    def _placeholders(line: Line | None) -> set[str]:
        if line is None:
            return set()
        return {name for _, name, _, _ in string.Formatter().parse(line.text.en) if name}

    def _headline(self, line: Line | None, facts: Mapping[str, Fact]) -> Text | Phrase:
        if line is None:
            title = self.asked.operation.title
            return self._filled(Text(f"{title.en}: {{target}}", f"{title.ja}: {{target}}"), facts)
        return self._filled(line.text, facts)

    def _filled(self, text: Text, facts: Mapping[str, Fact]) -> Text | Phrase:
        """The sentence with the values that its placeholders name."""
        known = {name: fact.value for name, fact in facts.items()} | {"target": Named(self.asked.survey.sight.name)}
        used = {name for _, name, _, _ in string.Formatter().parse(text.en + text.ja) if name}
        return Phrase(text, tuple((name, known[name]) for name in sorted(used) if name in known)) if used else text

    def _warnings(self, facts: Mapping[str, Fact]) -> Iterator[Notice]:
        effects, sight = self.asked.operation.effects, self.asked.survey.sight
        if sight.why_not:
            en, ja = (why_not(sight.why_not, language) for language in ("en", "ja"))
            yield Notice("unseen", Text(words.UNSEEN.en.format(why=en), words.UNSEEN.ja.format(why=ja)))
        for line in self.row.warn:
            if self._holds(line):
                yield Notice("consequence", self._filled(line.text, facts))
        if effects.say is not None:
            yield Notice("consequence", effects.say)
        if effects.undo is not None and not self._can_undo():
            lost = effects.undo.kind == "lost"
            yield Notice("irreversible" if lost else "recreate", self._undo())
        if effects.money != "no":
            yield Notice("money", words.MONEY_YES if effects.money == "yes" else words.MONEY_MAYBE)
        if effects.email != "no":
            yield Notice("email", words.EMAIL_YES if effects.email == "yes" else words.EMAIL_MAYBE)
        if effects.outside:
            systems = [words.SYSTEMS[name] for name in effects.outside]
            yield Notice(
                "outside",
                Text(
                    words.OUTSIDE.en.format(systems=", ".join(systems)),
                    words.OUTSIDE.ja.format(systems="、".join(systems)),
                ),
            )

    def _can_undo(self) -> bool:
        return can_undo(self.asked.operation, self.asked.args, self.asked.survey.before)

    def _undo(self) -> Text:
        """Whether it can be undone, and what does not come back."""
        undo = self.asked.operation.effects.undo
        if undo is None:
            return words.LOST
        if undo.kind == "undoable" and undo.call is None and undo.note is not None:
            return undo.note
        undoable = words.UNDOABLE_APPROVED if undo.critical else words.UNDOABLE
        kind = "undoable" if self._can_undo() else undo.kind
        said = {"undoable": undoable, "recreatable": words.RECREATED, "lost": words.LOST}[kind]
        return said if undo.note is None else Text(f"{said.en} {undo.note.en}", f"{said.ja}{undo.note.ja}")

    def _details(self) -> Iterator[Detail]:
        operation = self.asked.operation
        yield Detail("tool", operation.tool)
        yield Detail("request", f"{operation.method} {operation.path}")
        yield from (
            Detail(name, value if isinstance(value, str) else compact(value)) for name, value in self.shown.items()
        )
